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
import { onlySubnet, first, inFamily, mapFamilies, SERVED } from '../ip/by-family.ts'
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
  /** FLANNEL_SUBNET of before. */
  readonly previous: Prefix | undefined
  readonly signal: AbortSignal
}

/** Where our lease says we are. */
export interface LeasedInterface {
  /** Our identity in that lease; one of Go's names none, there it is that of the interface it is on. */
  readonly hostId: string
  /** Undefined where that address is not on this host, or not within what the operator asked for. */
  readonly external: ExternalInterface | undefined
  readonly place: Place
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
      const key = previous === undefined ? undefined : encodeKey(etcdPrefix, onlySubnet(previous))
      const before = key === undefined ? undefined : (await store.get(key)).entry
      const found = before === undefined ? undefined : placeIn(before, parts, true)
      if (found !== undefined) return found
      const { entries } = await store.range(subnetsFolder(etcdPrefix))
      const ours = entries.flatMap((entry) => placeIn(entry, parts, false) ?? [])
      return ours.find(({ external }) => external !== undefined) ?? ours[0]
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
  const external = alternatives(parts.network, parts.wish, SERVED[0]).find(
    (other) => other.address === addressIn(lease),
  )
  // Go's leases name no host: one is ours by the subnet we had and an address of ours.
  const ownId = lease.hostId ?? (external && hostId(parts.machineId, external.mac, external.address))
  if (ownId === undefined || (name === undefined && lease.hostId !== undefined)) return undefined
  const address = addressIn(lease)
  return { hostId: ownId, external, place: { name: external?.name ?? name ?? '', address, used: false } }
}

/** The address on our interface that a lease names: the source where that is not the public one, behind a NAT for example. */
function addressIn({ addresses, sourceAddresses }: LeaseValue): Address {
  return first(mapFamilies(addresses, (address, family) => inFamily(sourceAddresses, family) ?? address))
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
