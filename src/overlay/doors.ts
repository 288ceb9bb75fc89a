// The subnets from which packets may arrive unencapsulated on the external interface. Peers send to this host as its own lease and
// config say, so another host's lease opens nothing. A door is open for the subnet of one peer on our link. Pure.
import type { Peer } from '../backend.ts'
import type { LatePeer } from './change.ts'
import type { PlanInputs } from './inputs.ts'
import { type Prefix, addressOf, contains, lengthOf, prefixFamily, prefixOf } from '../ip/prefix.ts'
import { type ByFamily, NEITHER, inFamily, mapFamilies } from '../ip/by-family.ts'

/** The most rules a packet may have to pass for this. With more peers, doors get wider instead. */
const MOST_DOORS = 16

/** Whether peers send to us unencapsulated under our config. */
export function receivesDirectly({ configuration: { own } }: Pick<PlanInputs, 'configuration'>): boolean {
  return own.backend.receivesDirectly(own.config)
}

/**
 * The subnets packets may come from unencapsulated. While the peers are not known, the complete network where the config allows
 * it: a restart must not shut out a peer.
 */
export function doorsOf(inputs: PlanInputs, peers: Iterable<Peer> | undefined): ByFamily<readonly Prefix[]> {
  const { configuration, externals, change } = inputs
  const { ranges, own } = configuration
  const open = receivesDirectly(inputs) || change.lately
  if (!open && change.formerly.length === 0) return NEITHER
  if (peers === undefined) return open ? mapFamilies(ranges, ({ network }) => [network]) : NEITHER
  const subnets = mapFamilies(ranges, (): Prefix[] => [])
  const formerly = bySubnet(change.formerly)
  for (const peer of peers) {
    const { publicAddress, subnet } = peer
    if (!open && !isSame(peer, formerly.get(subnet))) continue
    const family = prefixFamily(subnet)
    const onlink = inFamily(externals, family)?.onlink
    const arrives = own.backend.unwrapsOnExternal === true || onlink?.some((prefix) => contains(prefix, publicAddress))
    if (arrives === true) inFamily(subnets, family)?.push(subnet)
  }
  return mapFamilies(ranges, ({ subnetLen }, family) => cover(inFamily(subnets, family) ?? [], subnetLen, MOST_DOORS))
}

/** Those of `formerly` whose leases neither followed nor left. A later lease of the same subnet is not theirs. */
export function stillLate(formerly: readonly LatePeer[], peers: ReadonlyMap<Prefix, LatePeer>): readonly LatePeer[] {
  const still = formerly.filter((late) => isSame(late, peers.get(late.subnet)))
  return still.length === formerly.length ? formerly : still
}

export function bySubnet(peers: Iterable<LatePeer>): ReadonlyMap<Prefix, LatePeer> {
  return new Map(Array.from(peers, (peer) => [peer.subnet, peer]))
}

function isSame(peer: LatePeer, other: LatePeer | undefined): boolean {
  return peer.type === other?.type && peer.publicAddress === other.publicAddress
}

/** At most `most` prefixes that contain all of these, which are `length` long; these themselves where they are few enough. */
export function cover(subnets: readonly Prefix[], length: number, most: number): readonly Prefix[] {
  for (let at = length; ; at--) {
    const joined = joinPairs(new Set(subnets.map((subnet) => prefixOf(addressOf(subnet), at))))
    if (joined.length <= most || at === 0) return joined.toSorted()
  }
}

/** The same addresses in fewer prefixes: two halves of one become that one. */
function joinPairs(prefixes: ReadonlySet<Prefix>): readonly Prefix[] {
  const whole: Prefix[] = []
  let level = prefixes
  while (level.size > 0) {
    const next = new Set<Prefix>()
    const halves = new Map<Prefix, Prefix>()
    for (const prefix of level) {
      const length = lengthOf(prefix)
      const parent = length === 0 ? prefix : prefixOf(addressOf(prefix), length - 1)
      if (halves.has(parent)) {
        halves.delete(parent)
        next.add(parent)
      } else halves.set(parent, prefix)
    }
    whole.push(...halves.values())
    level = next
  }
  return whole
}
