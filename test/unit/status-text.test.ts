// What `flanneld status`, `peers` and `events` print: the layout, and that nothing is shown by colour alone or left to guess.
import type { Status } from '../../src/view/status-shape.ts'
import test from 'ava'
import type { Level } from '../../src/health/conditions.ts'
import { columns } from '../../src/text/columns.ts'
import { renderEvent } from '../../src/cli/verbs/events.ts'
import { renderPeers } from '../../src/cli/verbs/peers.ts'
import { renderStatus } from '../../src/cli/verbs/status.ts'
import { worstFirst } from '../../src/view/peers.ts'
import { bytes, factsOf } from '../../src/view/status-text.ts'
import { verdictOf } from '../../src/view/verdict.ts'
import { NOW, SILENT, peerWith, statusWith } from '../fake/status.ts'

const print = (status: Status): string =>
  renderStatus(
    { verdict: verdictOf(status, undefined, NOW), status, file: undefined, left: undefined, etcd: undefined },
    NOW,
  )

test('status: verdict first, facts, then each reason with the next command', (t) => {
  const text = print(
    statusWith({
      peers: { total: 7, up: 6, degraded: 0, unreachable: 1, unknown: 0, refused: 0, inTrouble: 1 },
      troubled: [SILENT],
    }),
  )
  t.is(
    text,
    [
      '● degraded   1 of 7 peers unreachable · host2 192.168.19.121 · up 3d 4h',
      '  subnet   10.2.21.0/24   lease renewed 4s ago, 23h 59m left     network 10.2.0.0/16 · 8 of 255 subnets used',
      '  store    etcd 3/3 · rev 48112 · watch live                     mTLS, certificate 71d left',
      '  tunnel   flannel.1 vxlan vni 1 udp 8472 · mtu 1450 (proven to 7/7 peers)   rx 41.2 GB tx 39.8 GB drops 0',
      '  kernel   28/28 objects as wanted · last audit 4s ago · 0 repairs in 24h',
      '  firewall forward ✓ · docker raw ✓ · guard: 8472 from 7 peers, 0 packets of unknown senders · by iptables-nft',
      '  → 10.2.41.0/24 at 192.168.19.41 unreachable for 41s: udp 8472 blocked? Run: flanneld doctor 10.2.41.0/24',
      '',
    ].join('\n'),
  )
})

test('status of a host with two families: the second one in a line of its own, and each device with its MTU', (t) => {
  const one = statusWith()
  const [ipv4] = one.families
  if (ipv4 === undefined || one.tunnel === null) return t.fail()
  const { devices } = one.tunnel
  const ipv6 = {
    family: 6,
    interface: 'enp0s8',
    address: 'fd01::121',
    subnet: 'fd00:2:0:21::/64',
    network: { cidr: 'fd00:2::/48', total: 65_535, used: 8 },
  } as const
  const second = devices.map((device) => ({ ...device, device: 'flannel-v6.1', mtu: 1430, rxBytes: 0 }))
  const tunnel = { ...one.tunnel, mtu: 1430, devices: [...devices, ...second] }
  const lines = print(statusWith({ families: [ipv4, ipv6], tunnel })).split('\n')
  t.deepEqual(
    lines.filter((line) => /^ {2}(IPv6|tunnel|device)/.test(line)),
    [
      '  IPv6     fd00:2:0:21::/64   fd01::121 on enp0s8                network fd00:2::/48 · 8 of 65535 subnets used',
      '  tunnel   vxlan · mtu 1430 (proven to 7/7 peers)',
      '  device   flannel.1 vxlan vni 1 udp 8472 · mtu 1450   rx 41.2 GB tx 39.8 GB drops 0',
      '  device   flannel-v6.1 vxlan vni 1 udp 8472 · mtu 1430   rx 0 B tx 39.8 GB drops 0',
    ],
  )
})

test('status: a standing fault makes the host degraded; a warning and a note are shown and do not', (t) => {
  const standing = (level: Level): Status['conditions'][number] => ({
    code: level,
    level,
    gist: `a ${level}`,
    text: `a ${level} stands`,
    run: null,
    since: NOW,
  })
  t.regex(
    print(statusWith({ conditions: [standing('fault')] })),
    /^● degraded {3}a fault ·[^]*\n {2}→ a fault stands\n$/,
  )
  const remarked = print(statusWith({ conditions: [standing('warning'), standing('note')] }))
  t.regex(remarked, /^● healthy [^]*\n {2}warning: a warning stands\n {2}note: a note stands\n$/)
})

test('status before there is a lease: what is known, and why there is no more', (t) => {
  const early = statusWith({ ready: false, lease: null, network: null, tunnel: null, firewall: null })
  const text = print({
    ...early,
    unready: [
      {
        part: 'config',
        code: 'etcd-unreachable',
        text: 'etcd: http://10.0.0.1:2379: connect ECONNREFUSED 10.0.0.1:2379',
      },
      { part: 'lease', code: 'not-yet', text: 'not yet' },
    ],
    store: { ...early.store, connected: false, revision: null, tls: 'none', certificateEnds: null },
    kernel: { ...early.kernel, wanted: null, right: null, audited: null },
  })
  t.regex(text, /^● broken {3}waiting for etcd · host2/)
  t.regex(text, /→ etcd: http:\/\/10\.0\.0\.1:2379: connect ECONNREFUSED 10\.0\.0\.1:2379\. Run: etcdctl --endpoints=/)
  t.deepEqual(
    text.split('\n').filter((line) => /^ {2}\w/.test(line)),
    [`  store    ${'etcd 3/3'.padEnd(54)}no TLS`],
  )
})

test('status: what is missing says so in words, and a repair says when', (t) => {
  const { firewall, kernel } = statusWith()
  const at = NOW - 3_600_000
  const facts = factsOf(
    statusWith({
      firewall: firewall && { ...firewall, forward: false, docker: null, guard: null },
      kernel: { ...kernel, repairs: 2, lastRepair: { at, text: 'route 10.2.9.0/24 deleted' } },
      lease: { subnet: '10.2.21.0/24', reserved: true, renewed: null, expires: null },
    }),
    NOW,
  )
  const text = (label: string): string => facts.find((fact) => fact.label === label)?.text ?? ''
  t.is(text('firewall'), 'forward ✗ missing · no guard · by iptables-nft')
  t.regex(text('kernel'), /2 repairs in 24h \(last: route 10\.2\.9\.0\/24 deleted, (\d{4}-\d\d-\d\d )?\d\d:\d\d\)$/)
  t.regex(text('subnet'), /^10\.2\.21\.0\/24 {3}reserved for this host/)
})

test('bytes in the unit that makes them short', (t) => {
  t.deepEqual([0, 999, 1000, 999_949, 999_950, 41_200_000_000].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '41.2 GB',
  ])
})

test('peers: trouble first, then by subnet, as numbers', (t) => {
  const peers = [
    peerWith(99, { via: 'direct', pathMtu: 1500, since: NOW - 76 * 3_600_000 }),
    peerWith(10),
    peerWith(9, { loss: 0.001, rttMs: 41.6 }),
    peerWith(40, { state: 'degraded', pathMtu: 1400, cause: 'path-mtu', note: "below the tunnel's 1450" }),
    SILENT,
    peerWith(8, {
      state: 'refused',
      publicAddress: null,
      via: '',
      rttMs: null,
      loss: null,
      pathMtu: null,
      since: null,
    }),
  ]
  t.is(
    renderPeers(worstFirst(peers), NOW),
    columns([
      ['SUBNET', 'PUBLIC IP', 'VIA', 'STATE', 'RTT', 'LOSS', 'PATH MTU', 'SINCE', 'NOTE'],
      ['10.2.41.0/24', '192.168.19.41', 'vxlan', 'unreachable', '-', '100%', '-', '41s', 'udp 8472 blocked?'],
      ['10.2.40.0/24', '192.168.19.40', 'vxlan', 'degraded', '0.3ms', '0%', '1400 !', '1d', "below the tunnel's 1450"],
      ['10.2.8.0/24', '-', '-', 'refused', '-', '-', '-', '-', ''],
      ['10.2.9.0/24', '192.168.19.9', 'vxlan', 'up', '42ms', '<1%', '1450', '1d', ''],
      ['10.2.10.0/24', '192.168.19.10', 'vxlan', 'up', '0.3ms', '0%', '1450', '1d', ''],
      ['10.2.99.0/24', '192.168.19.99', 'direct', 'up', '0.3ms', '0%', '1500', '3d4h', ''],
    ]),
  )
  t.is(renderPeers([], NOW), 'no peers\n')
})

test('peers: text in a lease cannot control the terminal', (t) => {
  const text = renderPeers([peerWith(1, { note: 'a\u001B[2Jb\nc' })], NOW)
  t.false(text.includes('\u001B'))
  t.is(text.split('\n').length, 3)
})

test('events: a line each, the bad ones marked', (t) => {
  const event = { id: 1, at: NOW, kind: 'repair', bad: false, text: 'route 10.2.9.0/24 deleted' } as const
  t.regex(renderEvent(event), /^2026-11-\d\d \d\d:00:00 {3}repair {4}route 10\.2\.9\.0\/24 deleted$/)
  t.regex(renderEvent({ ...event, bad: true, kind: 'conflict' }), /^2026-11-\d\d \d\d:00:00 ! conflict {2}route/)
})
