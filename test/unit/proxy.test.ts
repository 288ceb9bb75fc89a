import test from 'ava'
import fc from 'fast-check'
import { proxyFor } from '../../src/etcd/proxy.ts'

const PROXY = { https_proxy: 'http://proxy.example:3128' }

/** Whether an endpoint is reached through the proxy. */
function through(address: string, noProxy = ''): boolean {
  return proxyFor(address, { ...PROXY, no_proxy: noProxy }) !== undefined
}

test('which variable names the proxy: https_proxy, upper case first as in Go; http_proxy and all_proxy none', (t) => {
  const lead = (env: object): string | undefined => proxyFor('10.0.0.1:2379', env as Record<string, string>)?.address
  t.is(lead(PROXY), 'proxy.example:3128')
  t.is(lead({ ...PROXY, HTTPS_PROXY: 'upper:1' }), 'upper:1')
  t.is(lead({ ...PROXY, HTTPS_PROXY: '' }), 'proxy.example:3128')
  t.is(
    lead({ http_proxy: 'http://a:1', HTTP_PROXY: 'http://a:1', all_proxy: 'http://a:1', grpc_proxy: 'http://a:1' }),
    undefined,
  )
  t.is(lead({ https_proxy: 'proxy' }), 'proxy:80')
  t.is(lead({ https_proxy: 'proxy:8080' }), 'proxy:8080')
  t.is(lead({ https_proxy: 'https://proxy' }), 'proxy:443')
  t.is(lead({ https_proxy: 'http://[fd00::1]:3128/' }), '[fd00::1]:3128')
  t.is(lead({ https_proxy: 'http://not a url' }), undefined)
  const { credentials, address, variable } =
    proxyFor('10.0.0.1:2379', { HTTPS_PROXY: 'http://me:p%40ss@proxy:1' }) ?? {}
  t.deepEqual([credentials, address, variable], ['me:p@ss', 'proxy:1', 'HTTPS_PROXY'])
})

for (const [noProxy, direct, led] of [
  [
    '',
    ['127.0.0.1:2379', '127.8.9.1:1', '[::1]:2379', 'localhost:2379'],
    ['10.0.0.1:2379', 'etcd:2379', '[fd00::1]:1'],
  ],
  ['10.0.0.1', ['10.0.0.1:2379'], ['10.0.0.11:2379', '110.0.0.1:2379']],
  ['10.0.0.0/8', ['10.200.3.4:2379'], ['11.0.0.1:2379', 'ten.example:2379']],
  ['10.3.4.5/8, 192.168.0.0/16', ['10.200.3.4:1', '192.168.19.120:2379'], ['192.169.0.1:1']],
  ['10.0.0.1:2379', ['10.0.0.1:2379'], ['10.0.0.1:4001']],
  ['etcd.example', ['etcd.example:2379', 'a.etcd.example:2379', 'ETCD.example:1'], ['myetcd.example:2379']],
  ['.example', ['a.example:1', 'a.b.example:1'], ['example:1']],
  ['*.example', ['a.example:1'], ['example:1', 'a.example.org:1']],
  ['etcd.example:2379', ['etcd.example:2379'], ['etcd.example:4001']],
  ['a, ,*,b', ['10.0.0.1:1', 'etcd:1'], []],
  ['*a*', [], ['banana:1']],
  ['fd00::/8', ['[fd00::1]:2379'], ['[fe00::1]:2379', '10.0.0.1:1']],
  ['[fd00::1]:2379', ['[fd00::1]:2379'], ['[fd00::1]:1', '[fd00::2]:2379']],
  ['fd00::1', ['[fd00::1]:2379'], ['[fd00::2]:2379']],
  [':2379, /8, 10.0.0.0/33', [], ['10.0.0.1:2379']],
] as const) {
  test(`no_proxy=${noProxy}`, (t) => {
    for (const address of direct) t.false(through(address, noProxy), address)
    for (const address of led) t.true(through(address, noProxy), address)
  })
}

test('whatever the variables contain, loopback is reached directly and nothing throws', (t) => {
  const loopback = fc.constantFrom('127.0.0.1:2379', '[::1]:2379', 'localhost:4001', '127.1.2.3:1')
  const words = fc.array(
    fc.constantFrom('10.0.0.1', '/', ':', '.', '*', '[', ']', ',', 'a', '::', '8', '@', '%', ' '),
    { maxLength: 8 },
  )
  const text = fc.oneof(
    fc.string(),
    words.map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(loopback, text, text, (address, https_proxy, no_proxy) => {
      proxyFor('10.0.0.1:2379', { https_proxy, no_proxy })
      return proxyFor(address, { https_proxy, no_proxy }) === undefined
    }),
  )
  t.pass()
})
