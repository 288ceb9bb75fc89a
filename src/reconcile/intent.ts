// The kernel objects we want, as a pure function of our host and the peers. Several backends may be active at once: each peer is
// reached by the backend that its own lease names.
import type { AnyBackend, Configured, Checked, Peer, Self } from '../backend.ts'
import type { Domain } from '../kernel/ownership.ts'
import type { Family } from '../ip/address.ts'
import { type SomeFamily, inFamily, valuesOf } from '../ip/by-family.ts'
import { prefixFamily } from '../ip/prefix.ts'
import { FLANNEL_PROTOCOL, type KernelObject, type Route, keyOf } from '../kernel/state.ts'

/** Our host in one family, as it is to every backend. */
export type HostSelf = Omit<Self<unknown>, 'config'>

/** Everything a plan depends on, peers aside. */
export interface Intent {
  /** Our own backend first, then those that some peer uses, or used until recently. */
  readonly active: readonly Configured[]
  /** Our host in each family of the network. */
  readonly selves: SomeFamily<HostSelf>
  /** Whether our own subnet has a blackhole route behind the bridge's route. */
  readonly blackhole: boolean
  /** Devices of ours found at the start that no active backend may want any more. */
  readonly leftovers: readonly string[]
}

/** Lowest priority there is, so that the bridge's connected route to our subnet always wins. */
const LAST_METRIC = 0xffff_ffff

/** The objects our host needs, independent of peers. */
export function hostObjects(intent: Intent): readonly KernelObject[] {
  const base = intent.active.flatMap(({ backend, config }) =>
    selvesServed(backend, intent).flatMap((self) => backend.base({ ...self, config })),
  )
  const all = intent.blackhole ? [...base, ...valuesOf(intent.selves).map(blackholeOf)] : base
  // Both families may want one device that carries both.
  return [...new Map(all.map((object) => [keyOf(object), object])).values()]
}

/** Our host in each family that a backend serves. */
export function selvesServed(backend: AnyBackend, { selves }: Pick<Intent, 'selves'>): readonly HostSelf[] {
  return valuesOf(selves).filter(({ family }) => serves(backend, family))
}

/** Whether a backend carries subnets of a family. */
export function serves({ families }: AnyBackend, family: Family): boolean {
  return families?.includes(family) ?? true
}

function blackholeOf({ subnet }: HostSelf): Route {
  return {
    kind: 'route',
    destination: subnet,
    metric: LAST_METRIC,
    target: { type: 'blackhole' },
    protocol: FLANNEL_PROTOCOL,
  }
}

/** Our host in the family of a peer; undefined where we are not in that family. */
export function selfFor({ selves }: Pick<Intent, 'selves'>, { subnet }: Pick<Peer, 'subnet'>): HostSelf | undefined {
  return inFamily(selves, prefixFamily(subnet))
}

/** The backend that reaches peers whose leases name this type: our own where it reads them, else the one of that name. */
export function carrierOf({ active }: Pick<Intent, 'active'>, type: string): Configured | undefined {
  const [own] = active
  return own?.backend.leaseType === type ? own : active.find(({ backend }) => backend.type === type)
}

/** The objects that carry packets to one peer, by the backend that its lease asks for. */
export function peerObjects(intent: Intent, peer: Peer): Checked<readonly KernelObject[]> {
  const way = leadingTo(intent, peer)
  if (intent.active.length < 2 || !way.ok) return way
  // It may send by any backend in use: by ours, or what was ours when it last looked.
  const all = [...senderObjects(intent, peer), ...way.value].map(asOneOfSeveral)
  return { ok: true, value: [...new Map(all.map((object) => [keyOf(object), object])).values()] }
}

/** What carries packets to a peer; while that is on its way from one backend to another, what both ways need, and the routes of one. */
function leadingTo(intent: Intent, peer: Peer): Checked<readonly KernelObject[]> {
  const now = wayTo(intent, peer)
  if (peer.former === undefined) return now
  const before = wayTo(intent, peer.former.peer)
  if (!before.ok) return now
  // Not refused yet: it may be our own half that is missing.
  if (!now.ok) return peer.former.leads ? before : now
  return { ok: true, value: bothWays(before.value, now.value, peer.former.leads) }
}

/** What both ways need, and the routes of one. */
function bothWays(
  before: readonly KernelObject[],
  now: readonly KernelObject[],
  formerLeads: boolean,
): readonly KernelObject[] {
  const leading = (formerLeads ? before : now).filter(leads)
  const beside = [...before, ...now].filter((object) => !leads(object)).map(formerLeads ? withKeepalive : same)
  return [...new Map([...beside, ...leading].map((object) => [keyOf(object), object])).values()]
}

/** Whether an object decides which way packets go. */
function leads(object: KernelObject): boolean {
  const { kind } = object
  return kind === 'route' || kind === 'nexthop' || (kind === 'policy' && object.direction === 'out')
}

/** What lets packets of a peer arrive by the backends that it does not receive by. */
function senderObjects(intent: Intent, peer: Peer): readonly KernelObject[] {
  const carrier = carrierOf(intent, peer.type)
  return intent.active.flatMap((configured) => {
    const { backend, config } = configured
    const self = configured === carrier || backend.forSender === undefined ? undefined : selfFor(intent, peer)
    if (self === undefined || !serves(backend, self.family)) return []
    return backend.forSender?.({ ...self, config }, peer) ?? []
  })
}

/** A policy that wants packets of a peer to arrive by one backend alone would drop those it sends by another. */
function asOneOfSeveral(object: KernelObject): KernelObject {
  return object.kind === 'policy' && object.direction !== 'out' ? { ...object, optional: true } : object
}

/** A packet that keeps a session open makes one, too. */
function withKeepalive(object: KernelObject): KernelObject {
  return object.kind === 'wireguard-peer' && object.keepalive === 0 ? { ...object, keepalive: 1 } : object
}

function same(object: KernelObject): KernelObject {
  return object
}

function wayTo(intent: Intent, peer: Peer): Checked<readonly KernelObject[]> {
  const configured = carrierOf(intent, peer.type)
  if (configured === undefined) return { ok: false, reason: 'backend-type', detail: `${peer.type} is not active` }
  const self = selfFor(intent, peer)
  if (self === undefined)
    return { ok: false, reason: 'family', detail: `${peer.subnet}: we have no subnet of its family` }
  return configured.backend.forPeer({ ...self, config: configured.config }, peer)
}

/** What is ours under this intent. */
export function domainOf(intent: Intent): Domain {
  const devices = new Set(intent.leftovers)
  for (const object of hostObjects(intent)) if (object.kind === 'link') devices.add(object.name)
  return { devices, networks: valuesOf(intent.selves).map(({ network }) => network) }
}
