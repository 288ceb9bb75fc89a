// The interface our own lease names: at a start it is taken before any other that would do, so that a virtual IP or a second
// default route that came first this time does not move this host. Reads etcd, writes nothing.
import type { ExternalInterface } from '../backend.ts'
import { EtcdError } from '../errors.ts'
import type { StoreEntry, Store } from '../etcd/store.ts'
import { Backoff, pause } from '../async/wait.ts'
import type { HostNetwork, Place } from '../kernel/host-network.ts'
import type { InterfaceWish } from './interface-candidate.ts'
import { alternatives } from './external-interface.ts'
import { hostId } from './host-id.ts'
import type { Address } from '../ip/address.ts'
import { type ByFamily, inFamily, mapFamilies, some, valuesOf } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import { decodeClaim, encodeKey, subnetsFolder } from '../lease/codec.ts'
import type { LeaseValue } from '../lease/lease.ts'

/** What is known before etcd is asked. */
export interface LeasedInterfaceParts {
  readonly store: Pick<Store, 'get' | 'range'>
  readonly etcdPrefix: string
  readonly network: HostNetwork
  readonly wish: InterfaceWish
  /** The text of /etc/machine-id. */
  readonly machineId: string | undefined
  /** The subnets of before, as subnet.env has them. */
  readonly previous: ByFamily<Prefix>
  readonly signal: AbortSignal
}

/** Where our lease says we are. */
export interface LeasedInterface {
  /** Our identity in that lease; one of Go's names none, there it is that of the interface it is on. */
  readonly hostId: string
  /** None in a family where that address is not on this host, or not within what the operator asked for. */
  readonly externals: ByFamily<ExternalInterface>
  /** Where our lease says we are, in families without such an interface. */
  readonly homes: ByFamily<Place>
}

/**
 * What our lease names; undefined without one. Its host id is made from a card of this host, or it is that of the subnet we had
 * and its address is ours. Waits for etcd; ends with undefined when the signal aborts.
 */
export async function leasedInterface(parts: LeasedInterfaceParts): Promise<LeasedInterface | undefined> {
  const { store, etcdPrefix, previous, signal } = parts
  const backoff = new Backoff(250, 4000)
  while (!signal.aborted) {
    try {
      const subnets = some(previous)
      const key = subnets && encodeKey(etcdPrefix, subnets)
      const before = key === undefined ? undefined : (await store.get(key)).entry
      const found = before === undefined ? undefined : placeIn(before, parts, true)
      if (found !== undefined) return found
      const { entries } = await store.range(subnetsFolder(etcdPrefix))
      const ours = entries.flatMap((entry) => placeIn(entry, parts, false) ?? [])
      return ours.find(({ externals }) => some(externals) !== undefined) ?? ours[0]
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error
      await pause(backoff.next(), signal)
    }
  }
  return undefined
}

function placeIn({ value }: StoreEntry, parts: LeasedInterfaceParts, wasOurs: boolean): LeasedInterface | undefined {
  const ids = idsOf(parts)
  if (!wasOurs && ![...ids.keys()].some((id) => value.includes(id))) return undefined
  const decoded = decodeClaim(value)
  if (!decoded.ok) return undefined
  const lease = decoded.value
  const name = lease.hostId === undefined ? undefined : ids.get(lease.hostId)
  const places = addressesIn(lease)
  const externals = mapFamilies(places, (address, family) =>
    alternatives(parts.network, parts.wish, family).find((other) => other.address === address),
  )
  // Go's leases name no host: one is ours by the subnet we had and an address of ours.
  const [external] = valuesOf(externals)
  const ownId = lease.hostId ?? (external && hostId(parts.machineId, external.mac, external.address))
  if (ownId === undefined || (name === undefined && lease.hostId !== undefined)) return undefined
  const homes = mapFamilies(places, (address, family) =>
    inFamily(externals, family) === undefined
      ? { name: external?.name ?? name ?? '', address, used: false }
      : undefined,
  )
  return { hostId: ownId, externals, homes }
}

/** The addresses on our interfaces that a lease names: the source where that is not the public one, behind a NAT for example. */
function addressesIn({ addresses, sourceAddresses }: LeaseValue): ByFamily<Address> {
  return mapFamilies(addresses, (address, family) => inFamily(sourceAddresses, family) ?? address)
}

/** The identities this host may have written, each by the name of the card it is made from. */
function idsOf({ network, machineId }: LeasedInterfaceParts): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  for (const { index, name, mac } of network.links) {
    for (const own of network.addresses.filter((each) => each.index === index)) {
      ids.set(hostId(machineId, mac, own.address), name)
    }
    if (mac !== undefined) ids.set(hostId(machineId, mac, '' as never), name)
  }
  return ids
}
