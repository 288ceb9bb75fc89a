// doctor's checks on facts made by hand: what netns tests cannot wait for, and what must not be called a fault.
import test from 'ava'
import { CHECKS } from '../../src/doctor/checks.ts'
import type { Facts } from '../../src/doctor/facts.ts'
import type { Fault } from '../../src/doctor/finding.ts'
import { makeReport, mayBeOnItsWay, renderReport } from '../../src/doctor/report.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Mac } from '../../src/ip/mac.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import type { PeerHealth } from '../../src/probe/peer-health.ts'
import { OWN, PEER, answering, faults, lease, outcome, factsWith } from '../fake/doctor-facts.ts'

const DAY = 86_400_000

test('a host in health has no fault but that its daemon does not run', (t) => {
  const report = makeReport(CHECKS, factsWith())
  t.deepEqual(
    report.checks
      .filter(({ level }) => level === 'fault' || level === 'warning' || level === 'note')
      .map(({ name }) => name),
    ['daemon'],
  )
  t.is(report.code, 3)
  t.is(report.verdict, 'not running')
})

test('names are unique, and each check says what it looks at', (t) => {
  t.is(new Set(CHECKS.map(({ name }) => name)).size, CHECKS.length)
  for (const { name, about } of CHECKS) {
    t.regex(name, /^[a-z]+[a-z\d]*(-[a-z]+)*$/)
    t.true(about.length > 5)
  }
})

test('without etcd nothing that needs it is called ok', (t) => {
  const healthy = factsWith()
  const facts: Facts = {
    ...healthy,
    store: { endpoints: [], content: undefined, error: 'nobody answers' },
    endpoints: [],
    plan: { unknown: 'etcd: nobody answers' },
  }
  const report = makeReport(CHECKS, facts)
  const ok = report.checks.filter(({ level }) => level === 'ok').map(({ name }) => name)
  t.deepEqual(ok, ['modules', 'ip-forward', 'docker0'])
})

test('lease: not renewed although a daemon answers is a fault; without a daemon, the finding is the absent daemon', (t) => {
  const ttl = { granted: 86_400, remaining: 86_400 - 300 }
  t.deepEqual(faults('lease', factsWith({ ttl })), [])
  const running = { ...factsWith({ ttl }), daemon: answering(factsWith()) }
  t.regex(faults('lease', running)[0]?.cause ?? '', /our lease is not renewed: it ends in 23h/)
  t.regex(faults('lease', running)[0]?.proof ?? '', /last renewed 5m ago/)
})

test('a host that the operator has shut out is missing on purpose, however often it writes its lease', (t) => {
  const { plan } = factsWith({ shutOut: ['192.168.19.122' as Address] })
  t.true('value' in plan)
  if (!('value' in plan)) return
  t.deepEqual([...plan.value.peers.keys()], [])
  t.deepEqual([...plan.value.refused.values()], ['shut-out'])
  t.false(plan.value.wanted.some(({ peer }) => peer !== undefined))
})

test("of two claims on a MAC the daemon's peer wins, because the daemon saw who came first", (t) => {
  const mac = '0a:00:00:00:00:22' as Mac
  // An older key, rewritten to claim what the peer has.
  const thief = { ...lease('10.2.30.0/24', '192.168.19.130', 'thief', mac), createRevision: '3', modRevision: '8' }
  const leases = [lease(OWN, '192.168.19.121', 'own'), lease(PEER, '192.168.19.122', 'peer', mac), thief]
  const peersOf = (differences: Parameters<typeof factsWith>[0]): readonly string[] => {
    const { plan } = factsWith({ leases, ...differences })
    return 'value' in plan ? [...plan.value.peers.keys()] : []
  }
  t.deepEqual(peersOf({ believed: new Set([PEER]) }), [PEER])
  t.deepEqual(peersOf({ believed: new Set(['10.2.30.0/24' as Prefix]) }), ['10.2.30.0/24'])
  // Nobody is there to ask: the older key, as a daemon that starts now would have it.
  t.deepEqual(peersOf({}), ['10.2.30.0/24'])
})

test('peers that are kept though etcd lost their leases are as they should be', (t) => {
  const healthy = factsWith()
  t.true('value' in healthy.plan)
  if (!('value' in healthy.plan)) return
  const { peers, wanted } = healthy.plan.value
  const lost = factsWith({ leases: [lease(OWN, '192.168.19.121', 'own')], kept: [...peers.values()] })
  t.deepEqual('value' in lost.plan && lost.plan.value.wanted, wanted)
  t.deepEqual(faults('etcd-watch', { ...lost, daemon: answering(healthy) }), [])
  // Without a word of the daemon they are what is left of hosts that have gone.
  const left = factsWith({ leases: [lease(OWN, '192.168.19.121', 'own')] })
  t.regex(faults('etcd-watch', { ...left, daemon: answering(healthy) })[0]?.cause ?? '', /behind by 1 peer$/)
})

test('rp-filter: the way in is the tunnel, or past it for peers on the LAN with DirectRouting', (t) => {
  const strict = { sysctls: new Map([['net/ipv4/conf/all/rp_filter', '1']]) }
  t.deepEqual(faults('rp-filter', factsWith({ host: strict })), [])
  t.deepEqual(faults('rp-filter', factsWith({ host: strict, backend: { DirectRouting: true } })), [])
  const uplinks = {
    ...strict,
    network: {
      ...factsWith().host.network,
      links: [...factsWith().host.network.links, { ...link(9), name: 'eth1' }],
      asked: new Map([['192.168.19.122' as Address, { index: 9, source: undefined }]]),
    },
  }
  const [found] = faults('rp-filter', factsWith({ host: uplinks }))
  t.regex(found?.proof ?? '', /192\.168\.19\.122 sends to 192\.168\.19\.121 on eth0, answers leave by eth1/)
  t.regex(found?.fix ?? '', /^sysctl -w net\.ipv4\.conf\.eth0\.rp_filter=2/)
  t.deepEqual(faults('rp-filter', factsWith({ host: { ...uplinks, sysctls: new Map() } })), [])
})

function link(index: number): Facts['host']['network']['links'][number] {
  return { index, name: '', mtu: 1500, mac: undefined, up: true, carrier: true, loopback: false, master: 0, kind: '' }
}

test('docker0: a bridge elsewhere is there by intent; no bridge is no fault', (t) => {
  const healthy = factsWith()
  const network = {
    ...healthy.host.network,
    links: [...healthy.host.network.links, { ...link(5), name: 'docker0' }],
    addresses: [...healthy.host.network.addresses, { index: 5, address: '172.17.0.1', length: 16, scope: 'global' }],
  } as Facts['host']['network']
  t.deepEqual(faults('docker0', factsWith({ host: { network } })), [])
})

test('duplicate-ip: addresses of hosts that have one lease each are no fault', (t) => {
  t.deepEqual(faults('duplicate-ip', factsWith()), [])
  const twice = [
    lease(OWN, '192.168.19.121', 'own'),
    lease(PEER, '192.168.19.122'),
    lease('10.2.23.0/24', '192.168.19.122'),
  ]
  t.is(faults('duplicate-ip', factsWith({ leases: twice }))[0]?.level, 'warning')
})

test('etcd-tls: certificates by their ends', (t) => {
  const base = factsWith()
  const at = (begins: number, ends: number): readonly Fault[] =>
    faults('etcd-tls', {
      ...base,
      options: { ...base.options, etcdEndpoints: ['https://10.0.0.1:2379'] },
      credentials: {
        error: undefined,
        certificates: [
          { flag: 'etcd-certfile', file: '/c.pem', subject: 'CN=x', begins: base.now + begins, ends: base.now + ends },
        ],
      },
    })
  t.deepEqual(at(-DAY, 30 * DAY), [])
  t.like(at(-DAY, 13 * DAY)[0], { level: 'fault', cause: 'our certificate ends soon' })
  t.like(at(-DAY, -1)[0], { level: 'fault', stops: true, cause: 'our certificate has ended' })
  t.like(at(DAY, 30 * DAY)[0], { level: 'fault', stops: true, cause: 'our certificate is not valid yet' })
  t.deepEqual(outcome('etcd-tls', base), { unchecked: 'the endpoints are http://: nothing is encrypted' })
})

test('probes: each cause is reported by exactly one check', (t) => {
  const causes = {
    'host-down': 'peers',
    loss: 'peers',
    'tunnel-blocked': 'udp-port',
    'tunnel-blocked-in': 'udp-port',
    'tunnel-blocked-out': 'udp-port',
    'path-mtu': 'path-mtu',
  }
  for (const [cause, check] of Object.entries(causes)) {
    const health = {
      state: 'degraded',
      rttMs: 1,
      loss: 0,
      pathMtu: 1400,
      since: 0,
      cause,
      note: 'seen so',
    } as PeerHealth
    const facts = factsWith({
      facts: { probes: { peers: { value: new Map([[PEER, health]]) }, checksums: { unknown: '' } } },
    })
    const telling = ['peers', 'udp-port', 'path-mtu'].filter((name) => faults(name, facts).length > 0)
    t.deepEqual(telling, [check], cause)
    t.regex(faults(check, facts)[0]?.proof ?? '', /seen so/)
    // 1400 bytes of a container's packet pass: with what the tunnel adds, 1450 between the hosts.
    if (cause === 'path-mtu') t.regex(faults(check, facts)[0]?.fix ?? '', /\(Backend\.MTU 1450 in the network config\)/)
  }
})

test('many similar faults are reported as a few and a count of the rest', (t) => {
  const leases = [
    lease(OWN, '192.168.19.121', 'own'),
    ...Array.from({ length: 9 }, (_, i) => lease(`10.2.${i + 30}.0/24`, 'x')),
  ]
  const found = faults('peer-leases', factsWith({ leases }))
  t.is(found.length, 5)
  t.regex(found[4]?.proof ?? '', /and 4 more like this/)
})

test('a fault that may be under repair is checked a second time', (t) => {
  const bare = factsWith()
  const routes = new Map(bare.host.kernel).set('route', new Map())
  t.true(
    mayBeOnItsWay(
      CHECKS,
      makeReport(CHECKS, factsWith({ host: { kernel: routes }, facts: { daemon: answering(bare) } })),
    ),
  )
  const forward = factsWith({
    host: { sysctls: new Map([['net/ipv4/ip_forward', '0']]) },
    facts: { daemon: answering(bare) },
  })
  t.false(mayBeOnItsWay(CHECKS, makeReport(CHECKS, forward)))
  t.is(makeReport(CHECKS, forward).code, 2)
})

test('the text: verdict first, faults with cause, fix and proof, then what was not checked, then what is well', (t) => {
  const text = renderReport(
    makeReport(CHECKS, factsWith({ host: { sysctls: new Map([['net/ipv4/ip_forward', '0']]) } })),
    false,
  )
  const lines = text.split('\n')
  t.regex(lines[0] ?? '', /^not running {3}2 faults · 0 warnings · 0 notes · \d+ not checked · \d+ ok$/)
  const at = lines.indexOf(
    'FAULT  ip-forward: the kernel does not forward packets: containers cannot reach other hosts',
  )
  t.regex(lines[at + 1] ?? '', /^ {2}fix {4}sysctl -w net\.ipv4\.ip_forward=1/)
  t.is(lines[at + 2], '  seen   net.ipv4.ip_forward = 0')
  t.true(lines.findIndex((line) => line.startsWith('not checked')) > at)
  t.regex(lines.at(-2) ?? '', /^ok: config, /)
  t.regex(renderReport(makeReport(CHECKS, factsWith()), true), /^ok {2}routes +every peer has its route: 2 as wanted$/m)
})

test('lease: another than the daemon works with', (t) => {
  const facts = factsWith()
  const daemon = answering(facts)
  const moved = factsWith({ leases: [lease('10.2.99.0/24', '192.168.19.121', 'own')], facts: { daemon } })
  t.regex(
    faults('lease', moved)[0]?.cause ?? '',
    /the daemon uses 10\.2\.21\.0\/24, but this host.s lease is 10\.2\.99\.0\/24/,
  )
})
