// What doctor makes of rules as nft and iptables print them: drops of the VXLAN port, and other tables at forward.
import test from 'ava'
import type { Fault } from '../../src/doctor/finding.ts'
import type { PeerHealth } from '../../src/probe/peer-health.ts'
import { PEER, UNREAD, answering, faults, factsWith, saved } from '../fake/doctor-facts.ts'

test('udp-port: rules that drop the port, in the words of nft and of iptables; the guard, which drops strangers, is none', (t) => {
  const rule = {
    family: 'inet',
    table: 'mine',
    chain: 'c',
    handle: 4,
    expr: [match('dport', { range: [8000, 9000] }), { counter: { packets: 0, bytes: 0 } }, { drop: null }],
  }
  const chain = { family: 'inet', table: 'mine', name: 'c', handle: 1, type: 'filter', hook: 'input', policy: 'accept' }
  const guard = { ...rule, table: 'flannel-guard-1' }
  const nft = JSON.stringify({
    nftables: [{ chain }, { chain: { ...chain, table: 'flannel-guard-1' } }, { rule }, { rule: guard }],
  })
  const iptables = ['*filter', ':INPUT DROP [0:0]', '-A INPUT -p udp -m udp --dport 8472 -j REJECT', 'COMMIT'].join(
    '\n',
  )
  const firewall = { nft: { value: nft }, iptables: saved(iptables) }
  t.deepEqual(
    faults('udp-port', factsWith({ facts: { firewall } })).map(({ fix }) => fix),
    [
      'iptables -t filter -D INPUT -p udp -m udp --dport 8472 -j REJECT',
      'nft delete rule inet mine c handle 4',
      'iptables -I INPUT -p udp --dport 8472 -j ACCEPT',
    ],
  )
  const open = {
    ...firewall,
    iptables: saved('*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 8472 -j ACCEPT'),
  }
  t.is(faults('udp-port', factsWith({ facts: { firewall: { ...open, nft: { value: '{}' } } } })).length, 0)
})

function match(field: string, right: unknown): object {
  return { match: { op: '==', left: { payload: { protocol: 'udp', field } }, right } }
}

/** Our rules as iptables-save shows them. */
const FORWARD = '-m comment --comment "flanneld forward" -j'
const OWN = `*filter
:FORWARD ACCEPT
:FLANNEL-FWD -
:FLANNEL-OVERLAY -
-A FORWARD ${FORWARD} FLANNEL-OVERLAY
-A FORWARD ${FORWARD} FLANNEL-FWD
-A FLANNEL-FWD -s 10.2.0.0/16 ${FORWARD} ACCEPT
-A FLANNEL-FWD -d 10.2.0.0/16 ${FORWARD} ACCEPT
-A FLANNEL-OVERLAY -s 10.2.0.0/16 -d 10.2.21.0/24 -i flannel.1 ${FORWARD} ACCEPT
-A FLANNEL-OVERLAY -s 10.2.21.0/24 -d 10.2.0.0/16 ! -i eth0 -o flannel.1 ${FORWARD} ACCEPT
COMMIT
`

test("firewall: other tables' drops, by how much they let through and whether they speak of us", (t) => {
  const table = { family: 'inet', table: 'fw' }
  const chain = { ...table, name: 'forward', handle: 1, type: 'filter', hook: 'forward' }
  const established = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'established' } }
  const [drop, accept, from] = [{ drop: null }, { accept: null }, { payload: { protocol: 'ip', field: 'saddr' } }]
  const judged = (policy: string, ...rules: (readonly object[])[]): readonly string[] => {
    const items = rules.map((expr, i) => ({ rule: { ...table, chain: 'forward', handle: i + 2, expr } }))
    const nft = JSON.stringify({ nftables: [{ chain: { ...chain, policy } }, ...items] })
    const firewall = { nft: { value: nft }, iptables: saved(OWN) }
    return faults('firewall', factsWith({ facts: { firewall } })).map(({ level, proof }) => `${level}: ${proof}`)
  }
  t.deepEqual(judged('accept'), [])
  t.deepEqual(judged('accept', [established, accept]), [])
  t.deepEqual(judged('drop'), ['fault: nft chain inet fw forward: policy drop'])
  t.deepEqual(judged('drop', [established, accept]), ['warning: nft chain inet fw forward: policy drop'])
  t.regex(
    judged('accept', [established, accept], [{ reject: null }])[0] ?? '',
    /^warning: nft rule inet fw forward handle 3: .*reject/,
  )
  t.regex(judged('accept', [drop])[0] ?? '', /^fault: nft rule inet fw forward handle 2/)
  const ours = { match: { op: '==', left: from, right: { prefix: { addr: '10.2.0.0', len: 16 } } } }
  t.deepEqual(judged('drop', [ours, accept]), [])
  const device = { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'flannel.1' } }
  t.deepEqual(judged('drop', [device, { jump: { target: 'x' } }], [drop]), [])
})

test('firewall: a device that the daemon keeps for a while after a change is no fault, and no excuse for what is missing', (t) => {
  // Of each device what comes in, then of each what goes out.
  const lingering = OWN.replace(
    /.* -i flannel\.1 .*\n/,
    (line) => line + line.replace('flannel.1 ', 'flannel.9 '),
  ).replace(/.* -o flannel\.1 .*\n/, (line) => line + line.replace('flannel.1 ', 'flannel.9 '))
  const healthy = factsWith()
  const daemon = answering(healthy)
  if (daemon.state !== 'answers' || daemon.facts.running === undefined) return t.fail()
  const judged = (tunnels: readonly string[] | undefined, iptables: string): number => {
    const running = {
      ...daemon.facts.running,
      ...(tunnels === undefined ? {} : { tunnels }),
    } as typeof daemon.facts.running
    const firewall = { iptables: saved(iptables), nft: { unknown: 'not looked at' } }
    const facts = { ...daemon.facts, running }
    return faults('firewall', factsWith({ facts: { firewall, daemon: { state: 'answers', facts } } })).length
  }
  t.is(judged(['flannel.1'], OWN), 0)
  t.is(judged(['flannel.1', 'flannel.9'], lingering), 0)
  t.is(judged(['flannel.1', 'flannel.9'], lingering.replaceAll(/.*-i flannel\.1 .*\n/g, '')), 1)
  t.is(judged(undefined, OWN), 0, 'a daemon of before does not say')
})

test('probes: a silent peer is not blamed on other firewalls alone while our guard drops packets', (t) => {
  const seen = (cause: string, ...dropped: readonly string[]): Fault | undefined => {
    const health = {
      state: 'unreachable',
      rttMs: 1,
      loss: 1,
      pathMtu: 0,
      since: 0,
      cause,
      note: '',
    } as unknown as PeerHealth
    const elem = dropped.map((val) => ({ elem: { val, counter: { packets: 3, bytes: 300 } } }))
    const table = { family: 'inet', table: 'flannel-guard-1' }
    const sets = [
      { set: { ...table, name: 'peers4', elem: ['192.168.19.122'] } },
      { set: { ...table, name: 'strangers4', elem } },
    ]
    const firewall = { nft: { value: JSON.stringify({ nftables: sets }) }, iptables: UNREAD }
    const probes = { peers: { value: new Map([[PEER, health]]) }, checksums: { unknown: '' } }
    return faults('udp-port', factsWith({ facts: { firewall, probes } }))[0]
  }
  for (const cause of ['tunnel-blocked', 'tunnel-blocked-in']) {
    t.regex(seen(cause, '192.168.19.240')?.cause ?? '', /this host's guard drops packets from 192\.168\.19\.240/)
    t.regex(seen(cause, '192.168.19.240')?.fix ?? '', /-vxlan-guard-allow=192\.168\.19\.240; if not, let UDP 8472 pass/)
    t.notRegex(seen(cause)?.cause ?? '', /guard/)
    t.notRegex(seen(cause, '192.168.19.122')?.cause ?? '', /guard/, 'a peer by now')
  }
  t.notRegex(seen('tunnel-blocked-out', '192.168.19.240')?.cause ?? 'guard', /guard/)
})
