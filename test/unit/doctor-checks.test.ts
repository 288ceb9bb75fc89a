// doctor's checks on facts made by hand: what netns tests cannot wait for, and what must not be called a fault.
import test from 'ava'
import { CHECKS } from '../../src/doctor/checks.ts'
import type { Facts } from '../../src/doctor/facts.ts'
import type { Fault, Outcome } from '../../src/doctor/finding.ts'
import { judge, mayBeOnItsWay, render } from '../../src/doctor/report.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import type { PeerHealth } from '../../src/probe/health.ts'
import { OWN, PEER, lease, patient } from '../fake/patient.ts'

const DAY = 86_400_000

function outcome(name: string, facts: Facts): Outcome {
  const check = CHECKS.find((one) => one.name === name)
  if (check === undefined) throw new Error(`no check ${name}`)
  return check.run(facts)
}

/** The faults of one check. */
function faults(name: string, facts: Facts): readonly Fault[] {
  const found = outcome(name, facts)
  return 'faults' in found ? found.faults : []
}

test('a host in health has no fault but that its daemon does not run', (t) => {
  const report = judge(CHECKS, patient())
  t.deepEqual(
    report.checks.filter(({ level }) => level === 'bad' || level === 'warn').map(({ name }) => name),
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
  const healthy = patient()
  const facts: Facts = {
    ...healthy,
    store: { endpoints: [], content: undefined, error: 'nobody answers' },
    endpoints: [],
    plan: { unknown: 'etcd: nobody answers' },
  }
  const report = judge(CHECKS, facts)
  const ok = report.checks.filter(({ level }) => level === 'ok').map(({ name }) => name)
  t.deepEqual(ok, ['modules', 'ip-forward', 'docker0'])
})

test('lease: one that is not renewed though a daemon answers; without a daemon its absence is what is said', (t) => {
  const ttl = { granted: 86_400, remaining: 86_400 - 300 }
  t.deepEqual(faults('lease', patient({ ttl })), [])
  const running = { ...patient({ ttl }), daemon: answering(patient()) }
  t.regex(faults('lease', running)[0]?.cause ?? '', /our lease is not being renewed: it ends in 23h/)
  t.regex(faults('lease', running)[0]?.proof ?? '', /last renewed 5m ago/)
})

function answering(facts: Facts): Facts['daemon'] {
  const plan = 'value' in facts.plan ? facts.plan.value : undefined
  const own = plan?.own
  return {
    state: 'answers',
    facts: {
      ...{ version: '0', pid: 1, since: 0, options: facts.options, reasons: [], failing: 0, conflicts: [] },
      running:
        plan === undefined || own === undefined
          ? undefined
          : { config: plan.configuration.text, own, peers: [...plan.peers.values()] },
      ...{ firewallError: undefined, guardError: undefined, store: facts.store, health: [] },
    },
  }
}

test('rp-filter: the way in is the tunnel, or past it for peers on the LAN with DirectRouting', (t) => {
  const strict = { sysctls: new Map([['net/ipv4/conf/all/rp_filter', '1']]) }
  t.deepEqual(faults('rp-filter', patient({ host: strict })), [])
  t.deepEqual(faults('rp-filter', patient({ host: strict, backend: { DirectRouting: true } })), [])
  const uplinks = {
    ...strict,
    network: {
      ...patient().host.network,
      links: [...patient().host.network.links, { ...link(9), name: 'eth1' }],
      routes: [{ destination: '192.168.19.122/32' as Prefix, index: 9, gateway: undefined, metric: 0 }],
    },
  }
  const [found] = faults('rp-filter', patient({ host: uplinks }))
  t.regex(found?.proof ?? '', /192\.168\.19\.122 sends to 192\.168\.19\.121 on eth0, answers leave by eth1/)
  t.regex(found?.fix ?? '', /^sysctl -w net\.ipv4\.conf\.eth0\.rp_filter=2/)
  t.deepEqual(faults('rp-filter', patient({ host: { ...uplinks, sysctls: new Map() } })), [])
})

function link(index: number): Facts['host']['network']['links'][number] {
  return { index, name: '', mtu: 1500, mac: undefined, up: true, carrier: true, loopback: false }
}

test('docker0: a bridge elsewhere is there by intent; no bridge is no fault', (t) => {
  const healthy = patient()
  const network = {
    ...healthy.host.network,
    links: [...healthy.host.network.links, { ...link(5), name: 'docker0' }],
    addresses: [...healthy.host.network.addresses, { index: 5, address: '172.17.0.1', length: 16, scope: 'global' }],
  } as Facts['host']['network']
  t.deepEqual(faults('docker0', patient({ host: { network } })), [])
})

test('duplicate-ip: addresses of hosts that have one lease each are no fault', (t) => {
  t.deepEqual(faults('duplicate-ip', patient()), [])
  const twice = [
    lease(OWN, '192.168.19.121', 'own'),
    lease(PEER, '192.168.19.122'),
    lease('10.2.23.0/24', '192.168.19.122'),
  ]
  t.is(faults('duplicate-ip', patient({ leases: twice }))[0]?.level, 'warn')
})

test('etcd-tls: certificates by their ends', (t) => {
  const base = patient()
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
  t.like(at(-DAY, 13 * DAY)[0], { level: 'warn', cause: 'our certificate ends soon' })
  t.like(at(-DAY, -1)[0], { level: 'bad', cause: 'our certificate has ended' })
  t.like(at(DAY, 30 * DAY)[0], { level: 'bad', cause: 'our certificate is not valid yet' })
  t.deepEqual(outcome('etcd-tls', base), { unchecked: 'the endpoints are http://: nothing is encrypted' })
})

test('probes: each cause is told by one check alone', (t) => {
  const causes = { 'host-down': 'peers', loss: 'peers', 'tunnel-blocked': 'udp-port', 'tunnel-blocked-in': 'udp-port', 'tunnel-blocked-out': 'udp-port', 'path-mtu': 'path-mtu' } // prettier-ignore
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
    const facts = patient({
      facts: { probes: { peers: { value: new Map([[PEER, health]]) }, checksums: { unknown: '' } } },
    })
    const telling = ['peers', 'udp-port', 'path-mtu'].filter((name) => faults(name, facts).length > 0)
    t.deepEqual(telling, [check], cause)
    t.regex(faults(check, facts)[0]?.proof ?? '', /seen so/)
  }
})

test('many like faults are told in a few, with how many more there are', (t) => {
  const leases = [
    lease(OWN, '192.168.19.121', 'own'),
    ...Array.from({ length: 9 }, (_, i) => lease(`10.2.${i + 30}.0/24`, 'x')),
  ]
  const found = faults('peer-leases', patient({ leases }))
  t.is(found.length, 5)
  t.regex(found[4]?.proof ?? '', /and 4 more like this/)
})

test('what may be on its way to being mended is what a second look is for', (t) => {
  const bare = patient()
  const routes = new Map(bare.host.kernel).set('route', new Map())
  t.true(
    mayBeOnItsWay(CHECKS, judge(CHECKS, patient({ host: { kernel: routes }, facts: { daemon: answering(bare) } }))),
  )
  const forward = patient({
    host: { sysctls: new Map([['net/ipv4/ip_forward', '0']]) },
    facts: { daemon: answering(bare) },
  })
  t.false(mayBeOnItsWay(CHECKS, judge(CHECKS, forward)))
  t.is(judge(CHECKS, forward).code, 2)
})

test('the text: verdict first, faults with cause, fix and proof, then what was not checked, then what is well', (t) => {
  const text = render(judge(CHECKS, patient({ host: { sysctls: new Map([['net/ipv4/ip_forward', '0']]) } })), false)
  const lines = text.split('\n')
  t.regex(lines[0] ?? '', /^not running {3}2 bad · 0 warnings · \d+ not checked · \d+ ok$/)
  const at = lines.indexOf('BAD  ip-forward: the kernel does not forward: containers reach nobody beyond this host')
  t.regex(lines[at + 1] ?? '', /^ {2}fix {4}sysctl -w net\.ipv4\.ip_forward=1/)
  t.is(lines[at + 2], '  seen   net.ipv4.ip_forward = 0')
  t.true(lines.findIndex((line) => line.startsWith('not checked')) > at)
  t.regex(lines.at(-2) ?? '', /^ok: config, /)
  t.regex(render(judge(CHECKS, patient()), true), /^ok {2}routes +every peer has its route: 2 as wanted$/m)
})

test('udp-port: rules that drop the port, in the words of nft and of iptables; the guard, which drops strangers, is none', (t) => {
  const rule = {
    ...{ family: 'inet', table: 'mine', chain: 'c', handle: 4 },
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
  const firewall = { nft: { value: nft }, iptables: { value: iptables } }
  t.deepEqual(
    faults('udp-port', patient({ facts: { firewall } })).map(({ fix }) => fix),
    [
      'iptables -t filter -D INPUT -p udp -m udp --dport 8472 -j REJECT',
      'nft delete rule inet mine c handle 4',
      'iptables -I INPUT -p udp --dport 8472 -j ACCEPT',
    ],
  )
  const open = {
    ...firewall,
    iptables: { value: '*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 8472 -j ACCEPT' },
  }
  t.is(faults('udp-port', patient({ facts: { firewall: { ...open, nft: { value: '{}' } } } })).length, 0)
})

function match(field: string, right: unknown): object {
  return { match: { op: '==', left: { payload: { protocol: 'udp', field } }, right } }
}

test('lease: another than the daemon works with', (t) => {
  const facts = patient()
  const daemon = answering(facts)
  const moved = patient({ leases: [lease('10.2.99.0/24', '192.168.19.121', 'own')], facts: { daemon } })
  t.regex(
    faults('lease', moved)[0]?.cause ?? '',
    /the daemon works with 10\.2\.21\.0\/24, leased to this host is 10\.2\.99\.0\/24/,
  )
})

test("firewall: other tables' drops, by how much they let through and whether they speak of us", (t) => {
  const table = { family: 'inet', table: 'fw' }
  const chain = { ...table, name: 'forward', handle: 1, type: 'filter', hook: 'forward' }
  const established = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'established' } }
  const [drop, accept, from] = [{ drop: null }, { accept: null }, { payload: { protocol: 'ip', field: 'saddr' } }]
  const judged = (policy: string, ...rules: (readonly object[])[]): readonly string[] => {
    const items = rules.map((expr, i) => ({ rule: { ...table, chain: 'forward', handle: i + 2, expr } }))
    const nft = JSON.stringify({ nftables: [{ chain: { ...chain, policy } }, ...items] })
    const own =
      '*filter\n:FORWARD ACCEPT\n:FLANNEL-FWD -\n-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD\n'
    const rule = (flag: string): string =>
      `-A FLANNEL-FWD ${flag} 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT\n`
    const firewall = { nft: { value: nft }, iptables: { value: `${own}${rule('-s')}${rule('-d')}COMMIT\n` } }
    return faults('firewall', patient({ facts: { firewall } })).map(({ level, proof }) => `${level}: ${proof}`)
  }
  t.deepEqual(judged('accept'), [])
  t.deepEqual(judged('accept', [established, accept]), [])
  t.deepEqual(judged('drop'), ['bad: nft chain inet fw forward: policy drop'])
  t.deepEqual(judged('drop', [established, accept]), ['warn: nft chain inet fw forward: policy drop'])
  t.regex(
    judged('accept', [established, accept], [{ reject: null }])[0] ?? '',
    /^warn: nft rule inet fw forward handle 3: .*reject/,
  )
  t.regex(judged('accept', [drop])[0] ?? '', /^bad: nft rule inet fw forward handle 2/)
  const ours = { match: { op: '==', left: from, right: { prefix: { addr: '10.2.0.0', len: 16 } } } }
  t.deepEqual(judged('drop', [ours, accept]), [])
  const device = { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'flannel.1' } }
  t.deepEqual(judged('drop', [device, { jump: { target: 'x' } }], [drop]), [])
})
