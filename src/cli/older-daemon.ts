// Answers of an older daemon: after an upgrade the verbs are new, while the old daemon may run until the operator restarts
// it. Pure. Invariant: a field that the older daemon lacks reads as empty.
import type { Unready } from '../health/readiness.ts'
import type { PathView } from '../control/path-route.ts'
import type { LeaseLine, LeaseView } from '../view/leases.ts'
import type { PeerCounts, PeerView, TunnelStatus } from '../view/status-shape.ts'
import type { StatusAnswer } from '../view/health.ts'
import type { ConfigVerdict } from '../network-config/stored-config.ts'

/** Fields that came later. */
type Since<T, Later extends keyof T> = Omit<T, Later> & Partial<Pick<T, Later>>

type Older = Since<Omit<StatusAnswer, 'peers' | 'tunnel'>, 'conditions' | 'unready' | 'verdict' | 'families'> & {
  readonly peers: Since<PeerCounts, 'inTrouble'>
  readonly tunnel: Since<TunnelStatus, 'devices' | 'encrypted'> | null
}

/** The answer to GET /v1/status. */
export function statusTold(answer: unknown): Since<StatusAnswer, 'verdict'> {
  const { peers, tunnel, troubled, ...told } = answer as Older
  const { unreachable, degraded, refused } = peers
  // Every refused lease was a fault.
  return {
    conditions: [],
    families: [],
    unready: told.reasons.map(unreadyIn),
    ...told,
    troubled: peersTold(troubled),
    tunnel: tunnel === null ? null : { encrypted: false, devices: devicesIn(tunnel), ...tunnel },
    peers: { ...peers, inTrouble: peers.inTrouble ?? unreachable + degraded + refused },
  }
}

/** It had one device at most, with the MTU of containers. */
function devicesIn({
  device,
  type,
  mtu,
  vni,
  port,
  rxBytes,
  txBytes,
  drops,
}: Omit<TunnelStatus, 'devices' | 'encrypted'>): TunnelStatus['devices'] {
  return device === null ? [] : [{ device, type, mtu, vni, port, rxBytes, txBytes, drops }]
}

/** "lease: key deleted". */
function unreadyIn(reason: string): Unready {
  const [part = '', ...text] = reason.split(': ')
  const code = text.join() === 'not yet' ? 'not-yet' : 'unknown'
  return { part: part as Unready['part'], code, text: text.join(': ') }
}

/** The answer to GET /v1/leases. */
export function leasesTold(answer: unknown): LeaseView {
  const { leases, ...told } = answer as Since<Omit<LeaseView, 'leases'>, 'shutOut' | 'ranges'> & {
    readonly leases: readonly Since<LeaseLine, 'publicAddress6'>[]
  }
  const { network, subnets } = told
  return {
    shutOut: [],
    ranges: network === null || subnets === null ? [] : [{ network, ...subnets }],
    ...told,
    leases: leases.map((line) => ({ publicAddress6: null, ...line })),
  }
}

/** The answer to GET /v1/path. */
export function pathTold(answer: unknown): PathView {
  const { port, ...told } = answer as Since<PathView, 'also' | 'outer'> & { readonly port?: number }
  return { also: null, outer: `udp ${port ?? 0}`, ...told }
}

/** The answer to GET /v1/peers. */
export function peersTold(answer: unknown): readonly PeerView[] {
  const told = answer as readonly Since<PeerView, 'type' | 'encrypted' | 'families' | 'why'>[]
  return told.map((peer) => ({ type: null, encrypted: null, families: [], why: '', ...peer }))
}

/** The answer to POST /v1/config/check. */
export function verdictTold(answer: unknown): ConfigVerdict {
  const verdict = answer as ConfigVerdict
  if (!verdict.valid || verdict.compared === null) return verdict
  return { ...verdict, compared: { moving: [], ...(verdict.compared as Since<typeof verdict.compared, 'moving'>) } }
}
