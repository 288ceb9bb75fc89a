// The monitor reports what others change of IPsec policies, and not what we change ourselves: on a real kernel.
import { contains } from '../../src/ip/prefix.ts'
import { startMonitor } from '../../src/kernel/monitor.ts'
import { IPSEC_REQID, type Policy } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, ip, prefix } from '../golden/objects.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const test = inNamespace()
const network = prefix('10.2.0.0/16')

const policy: Policy = {
  kind: 'policy',
  direction: 'out',
  source: prefix('10.2.1.0/24'),
  destination: prefix('10.2.2.0/24'),
  from: ip('192.168.19.121'),
  to: ip('192.168.19.122'),
  reqid: IPSEC_REQID,
  optional: false,
}

test('policies that others change, delete or flush are reported; our own changes and other networks are not', async (t) => {
  const { kernel, space } = t.context
  const seen: string[] = []
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
  })
  const options = {
    isOurDevice: () => false,
    isExternalDevice: () => false,
    isPeersVtep: () => false,
    isOurNetwork: (destination: Parameters<typeof contains>[0]) => contains(network, destination),
    onDrift: (drift: { readonly type: string; readonly what?: string }) => seen.push(drift.what ?? drift.type),
    onExternalChange: () => undefined,
    onFailure: (error: Error) => seen.push(error.message),
  }
  await startMonitor(kernel, options, stop.signal)
  t.deepEqual(await apply(kernel, 'add', [policy]), [])
  t.deepEqual(await apply(kernel, 'replace', [policy]), [])
  const words = 'src 10.2.1.0/24 dst 10.2.2.0/24 dir out'
  const template = 'tmpl src 192.168.19.121 dst 192.168.19.123 proto esp reqid 11 mode tunnel'
  await space.run(`ip xfrm policy add src 10.9.1.0/24 dst 10.9.2.0/24 dir out ${template}`)
  await space.run(`ip xfrm policy update ${words} ${template}; ip xfrm policy delete ${words}; ip xfrm policy flush`)
  const key = 'policy out 10.2.1.0/24 10.2.2.0/24'
  const all = [`${key} changed`, `${key} deleted`, 'policies flushed']
  await waitFor('three reports', () => seen.length >= all.length)
  t.deepEqual(seen, all)
})
