// doctor on healthy hosts in every setup: nothing is wrong, and what was not checked could not be.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'

const MODES: readonly {
  readonly mode: string
  readonly backend: object
  readonly args?: string
  readonly none?: readonly string[]
}[] = [
  { mode: 'vxlan through nexthop objects, masquerading', backend: {}, args: '-ip-masq -nexthop-objects=always' },
  { mode: 'DirectRouting', backend: { DirectRouting: true }, none: ['checksum'] },
  { mode: 'host-gw', backend: { Type: 'host-gw' }, none: ['checksum'] },
  {
    mode: 'without guard and forward rules, another port and VNI',
    backend: { Port: 4789, VNI: 7 },
    args: '-vxlan-guard=false -iptables-forward-rules=false',
  },
]

for (const { mode, backend, args = '', none = [] } of MODES) {
  test(`doctor: well: ${mode}`, async (t) => {
    const { nodes } = await createCluster(t, { backend, args })
    const [own, peer] = nodes
    if (own === undefined || peer === undefined) return t.fail()
    await waitForHealth(own, peer, { state: 'up' })
    const { findings, unchecked, code, text } = await runDoctor(own.host)
    t.deepEqual(findings, [], text)
    t.deepEqual(unchecked, ['etcd-tls', ...none], text)
    t.is(code, 0)
    t.regex(text, /^healthy {3}0 faults · 0 warnings · 0 notes/)
  })
}

test('doctor PEER: probes at once where the daemon does not', async (t) => {
  const { nodes } = await createCluster(t, { args: '-probe-interval=0' })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) return t.fail()
  t.regex(
    (await runDoctor(own.host, peer.host.address)).text,
    /^healthy [^]*ok: .*peers, udp-port, path-mtu, checksum$/m,
  )
  await peer.host.run('iptables -A INPUT -p udp --dport 8472 -j DROP')
  const { findings } = await runDoctor(own.host, peer.host.address)
  t.deepEqual(
    findings.map(({ check }) => check),
    ['udp-port'],
  )
  t.regex(findings[0]?.cause ?? '', /UDP 8472 is blocked on the path$/)
})
