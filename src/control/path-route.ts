// What the control socket answers about one peer's path: how it can be probed, and its health.
import { selfFor } from '../reconcile/intent.ts'
import { OperatorError } from '../errors.ts'
import type { Handler } from '../http/serve-routes.ts'
import { parseAddress } from '../ip/address.ts'
import { type Prefix, parseInterfacePrefix } from '../ip/prefix.ts'
import { type CurrentDaemon, type Running, type RunningDaemon, primarySession } from '../view/running-daemon.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import { type Lane, type PeerPath, pathTo } from '../probe/path.ts'

/** The answer of GET /v1/path. */
export interface PathView extends Pick<PeerPath, 'via' | 'mtu' | 'outer' | 'overhead'> {
  readonly subnet: string
  readonly publicAddress: string
  /** The same host's subnet in the other family; null for a host of one family. */
  readonly also: string | null
  readonly tunnel: Lane | null
  readonly underlay: Lane
  /** Null when it was not probed recently. */
  readonly health: PeerHealth | null
}

/** The routes of the control socket that are about probing. */
export function probeRoutes(current: CurrentDaemon): readonly (readonly [string, Handler])[] {
  return [['GET /v1/path', ({ query }) => ({ status: 200, json: pathView(current(), query.get('to') ?? '') })]]
}

/** The path to the peer `to` names: its subnet, an address in it, or its public address. Throws OperatorError. */
function pathView(daemon: RunningDaemon, to: string): PathView {
  if (daemon.phase !== 'running') throw new OperatorError('not ready: there is no lease yet')
  const session = primarySession(daemon)
  const address = parseInterfacePrefix(to)?.address ?? parseAddress(to)
  if (address === undefined) throw new OperatorError(`${to}: neither a subnet nor an address`)
  const peer = session.peerAt(address) ?? [...session.peers.values()].find((it) => it.publicAddress === address)
  if (peer === undefined) throw new OperatorError(`${to}: no peer of this network: flanneld peers lists them`)
  const configured = session.configured(peer.type)
  const self = selfFor(session.plan.intent, peer)
  const path = configured && self && pathTo(peer, self, configured)
  if (path === undefined) throw new OperatorError(`${to}: packets do not go there: its backend is ${peer.type}`)
  const { via, mtu, outer, overhead, tunnel, underlay } = path
  return {
    subnet: peer.subnet,
    publicAddress: peer.publicAddress,
    also: peer.also ?? null,
    via,
    mtu,
    outer,
    overhead,
    tunnel: tunnel ?? null,
    underlay,
    health: healthOf(daemon.prober, peer.subnet),
  }
}

/** The health, without what judging keeps for itself. */
function healthOf(prober: Running['prober'], subnet: Prefix): PeerHealth | null {
  const found = prober.healthOf(subnet)
  if (found === undefined) return null
  const { state, cause, rttMs, loss, pathMtu, since, note } = found
  return { state, cause, rttMs, loss, pathMtu, since, note }
}
