// A host with two families is one peer for whoever looks: one row, one count, the worse of both with its family named.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import type { Peer } from '../../src/backend.ts'
import { renderPeers } from '../../src/cli/verbs/peers.ts'
import { LeaseStats } from '../../src/lease/stats.ts'
import { hostStates, peerSeries } from '../../src/metrics/peer-series.ts'
import { intentOf } from '../../src/overlay/plan.ts'
import type { PeerHealth } from '../../src/probe/peer-health.ts'
import { summaryOf } from '../../src/view/peer-summary.ts'
import { peersOf } from '../../src/view/peers.ts'
import type { Running } from '../../src/view/running-daemon.ts'
import { twoFamilies } from '../fake/two-families.ts'
import { address, prefix } from '../fake/values.ts'

const NOW = 1_000_000
const UP: PeerHealth = { state: 'up', rttMs: 0.4, loss: 0, pathMtu: 1430, since: NOW - 60_000, cause: 'none', note: '' }
const SILENT: PeerHealth = {
  ...UP,
  state: 'unreachable',
  rttMs: undefined,
  loss: 1,
  pathMtu: undefined,
  since: NOW - 5000,
  cause: 'tunnel-blocked',
  note: 'udp 8472 blocked?',
}

const BOTH = hostAt(3, true)
const FOUR = hostAt(4, false)

/** The peers of the host numbered `n`. */
function hostAt(n: number, both: boolean): readonly Peer[] {
  const type = 'host-gw'
  const four = { subnet: prefix(`10.2.${n}.0/24`), publicAddress: address(`192.168.19.${n}`), type, data: null }
  const six = { subnet: prefix(`fd00:2:0:${n}::/64`), publicAddress: address(`fd01::${n}`), type, data: null }
  return both
    ? [
        { ...four, also: six.subnet },
        { ...six, also: four.subnet },
      ]
    : [four]
}

/** A daemon with these peers, probed with these results in the order of the peers. */
function daemonWith(peers: readonly Peer[], ...health: readonly (PeerHealth | undefined)[]): Running {
  const inputs = twoFamilies({ Backend: { Type: 'host-gw' } })
  const bySubnet = new Map(peers.map((peer) => [peer.subnet, peer]))
  const found = new Map(peers.map(({ subnet }, i) => [subnet, health[i]]))
  const backend = BACKENDS.find(({ type }) => type === 'host-gw')
  const session = {
    inputs,
    plan: { intent: intentOf(inputs), subnetEnv: { mtu: 1430 } },
    peers: bySubnet,
    configured: () => ({ backend, config: null }),
  }
  return {
    phase: 'running',
    sessions: [session],
    leaseStats: new LeaseStats(),
    options: inputs.options,
    prober: {
      healthOf: (subnet: (typeof peers)[number]['subnet']) => found.get(subnet),
      judged: () => [...found].filter(([, seen]) => seen !== undefined),
    },
  } as unknown as Running
}

test('a host with two families is one peer with both subnets and addresses', (t) => {
  const [peer, ...others] = peersOf(daemonWith(BOTH, UP, { ...UP, rttMs: 0.6, pathMtu: 1400 }))
  t.deepEqual(others, [])
  t.like(peer, { subnet: '10.2.3.0/24', publicAddress: '192.168.19.3', type: 'host-gw', encrypted: false })
  t.like(peer, { state: 'up', rttMs: 0.6, pathMtu: 1400, note: '' })
  t.deepEqual(
    peer?.families.map(({ family, subnet, publicAddress }) => [family, subnet, publicAddress]),
    [
      [4, '10.2.3.0/24', '192.168.19.3'],
      [6, 'fd00:2:0:3::/64', 'fd01::3'],
    ],
  )
  const text = renderPeers(peersOf(daemonWith(BOTH, UP, UP)), NOW)
  t.is(text.trim().split('\n').length, 2)
  t.regex(text, /\n10\.2\.3\.0\/24 fd00:2:0:3::\/64 +192\.168\.19\.3 fd01::3 +host-gw +up/)
})

test('a host with one family has no list of families', (t) => {
  const [peer] = peersOf(daemonWith(FOUR, UP))
  t.like(peer, { subnet: '10.2.4.0/24', state: 'up', pathMtu: 1430 })
  t.deepEqual(peer?.families, [])
})

test('a fault in one family is named with it, and the host is degraded', (t) => {
  const [peer] = peersOf(daemonWith(BOTH, UP, SILENT))
  t.like(peer, { state: 'degraded', rttMs: 0.4, loss: 1, pathMtu: 1430, since: NOW - 5000, cause: 'tunnel-blocked' })
  t.is(peer?.note, 'IPv6 unreachable: udp 8472 blocked?')
  const slow = { ...UP, state: 'degraded', cause: 'path-mtu', note: 'below 1430' } as const
  t.is(
    peersOf(daemonWith(BOTH, slow, SILENT))[0]?.note,
    'IPv4 degraded: below 1430; IPv6 unreachable: udp 8472 blocked?',
  )
})

test('a fault in both families is named once', (t) => {
  const [peer] = peersOf(daemonWith(BOTH, SILENT, SILENT))
  t.like(peer, { state: 'unreachable', note: 'udp 8472 blocked?' })
})

test('a host that is not probed yet in one family is not known to be up', (t) => {
  t.like(peersOf(daemonWith(BOTH, UP, undefined))[0], { state: 'unknown', note: '' })
})

test('hosts are counted, not their families', async (t) => {
  const daemon = daemonWith([...BOTH, ...FOUR], UP, SILENT, UP)
  const { counts, troubled, proven } = await summaryOf(daemon)
  t.like(counts, { total: 2, up: 1, degraded: 1, unreachable: 0, inTrouble: 1 })
  t.deepEqual(
    troubled.map(({ subnet }) => subnet),
    ['10.2.3.0/24'],
  )
  t.is(proven, 1, 'in one family is not enough')
  const { prober, sessions } = daemon
  t.deepEqual(hostStates(prober, sessions[0].peers), { up: 1, degraded: 1, unreachable: 0, unknown: 0 })
  const series = peerSeries(prober, ({ loss }) => loss, sessions[0].peers)
  t.deepEqual(
    series.map(({ labels, value }) => [labels, value]),
    [
      [{ peer: '10.2.3.0/24' }, 0],
      [{ peer: '10.2.3.0/24', family: 'IPv6' }, 1],
      [{ peer: '10.2.4.0/24' }, 0],
    ],
  )
})
