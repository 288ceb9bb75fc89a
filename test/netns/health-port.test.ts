// The health port as probes written for Go's flanneld ask it: over both families, by HEAD as by GET, and for its very words.
import test, { type ExecutionContext } from 'ava'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

/** The complete answer to one request, as received; bash's error when nothing listens. */
function ask(host: Host, address: string, request: string): Promise<string> {
  const script = `exec 3<>/dev/tcp/${address}/9000 && printf '${request}\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3`
  return host.run('timeout 20 bash -s 2>&1 || true', script)
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

async function started(t: ExecutionContext, args: string, prepare = 'true'): Promise<Host> {
  const lan = await (await createLab(t)).lan()
  const host = await lan.host(121)
  await host.run(prepare)
  // There is no etcd: the health port comes before it.
  await startFlanneld(host, `${ARGS} -healthz-port=9000 ${args}`)
  const here = prepare === 'true' ? '127.0.0.1' : '192.168.19.121'
  await waitFor('the health port', async () =>
    (await ask(host, here, 'GET /healthz HTTP/1.1')).startsWith('HTTP/1.1 200'),
  )
  return host
}

test("on both families by default, and in Go's very words", async (t) => {
  const host = await started(t, '')
  for (const address of ['127.0.0.1', '::1', '192.168.19.121']) {
    const alive = await ask(host, address, 'GET /healthz HTTP/1.1')
    t.is(bodyOf(alive), 'flanneld is running', address)
    const waiting = await ask(host, address, 'GET /readyz HTTP/1.1')
    t.regex(waiting, /^HTTP\/1\.1 503 /)
    t.regex(bodyOf(waiting), /^flanneld is not ready yet\nbroken\n(\S+: .*\n)+$/)
  }
  for (const [path, status, length] of [
    ['/healthz', 200, 'flanneld is running'.length],
    ['/readyz', 503, undefined],
    ['/metrics', 200, undefined],
    ['/nothing', 404, undefined],
  ] as const) {
    const head = await ask(host, '::1', `HEAD ${path} HTTP/1.1`)
    t.regex(head, new RegExp(`^HTTP/1\\.1 ${status} `), path)
    t.regex(head, length === undefined ? /content-length: [1-9]/i : new RegExp(`content-length: ${length}\r\n`, 'i'))
    t.is(bodyOf(head), '', path)
  }
})

test("ready in Go's words, and on one address when one is named", async (t) => {
  const { host } = await createOneHost(t)
  await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-ip=127.0.0.1`)
  const ready = await waitFor('ready', async () => {
    const answer = await ask(host, '127.0.0.1', 'GET /readyz HTTP/1.1')
    return answer.startsWith('HTTP/1.1 200') ? answer : undefined
  })
  t.is(bodyOf(ready), 'flanneld is ready')
  t.regex(await ask(host, '::1', 'GET /healthz HTTP/1.1'), /refused/)
})

test('without IPv6 on the host, and where sockets of IPv6 are for IPv6 alone', async (t) => {
  const host = await started(
    t,
    '-healthz-ip=0.0.0.0',
    'sysctl -q -w net.ipv6.bindv6only=1 net.ipv6.conf.all.disable_ipv6=1',
  )
  t.is(bodyOf(await ask(host, '192.168.19.121', 'GET /healthz HTTP/1.1')), 'flanneld is running')
})
