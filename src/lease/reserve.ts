// Reserving a subnet for a host, and giving it back. A reservation is a lease's key without an etcd lease, so that it never
// ends: whatever host has its PublicIP takes it at its next start, ours as Go's, and keeps it.
// Invariant: every write is a transaction on the revisions it was decided on; what another host holds is never written.
import { OperatorError } from '../errors.ts'
import type { StoreCondition, Store, StoreWrite } from '../etcd/store.ts'
import { type Address, isUnicast, familyOf } from '../ip/address.ts'
import { type Prefix, contains, lengthOf, overlaps, prefixFamily } from '../ip/prefix.ts'
import { type SubnetRange, fits } from './allocate.ts'
import type { ListedLease } from './found.ts'
import { findLeases } from './claim.ts'
import { encodeKey } from './codec.ts'
import { LEASE_SECONDS, primarySubnet, hasAddress, primaryAddress } from './lease.ts'
import { onlySubnet, valuesOf } from '../ip/by-family.ts'

/** What came of a reservation. */
export interface Reserved {
  readonly subnet: Prefix
  readonly publicAddress: Address
  /** What the subnet was before: `lease` and `reservation` are the same host's. */
  readonly was: 'free' | 'lease' | 'reservation'
  /** For people. */
  readonly note: string
}

/** What came of giving a reservation back. */
export interface Released {
  readonly subnet: Prefix
  /** `free`: no host had leased it. `lease`: its host keeps it by an ordinary lease, which ends a day after that host stops. */
  readonly now: 'free' | 'lease'
  /** For people. */
  readonly note: string
}

/** How often it decides again when others write at the same time. */
const ATTEMPTS = 5

/**
 * Reserves a subnet for the host with a public address. `rangeOf` reads the subnets that may be leased out of the stored
 * network config, or throws. Throws OperatorError when the subnet is another host's, or no host's to have.
 */
export async function reserve(
  store: Store,
  prefix: string,
  subnet: Prefix,
  address: Address,
  rangeOf: (config: string | undefined) => SubnetRange,
): Promise<Reserved> {
  const configKey = `${prefix}/config`
  return attempt(`reserve: ${subnet}`, async () => {
    const { entries } = await store.range(`${prefix}/`)
    const config = entries.find((entry) => entry.key === configKey)
    const range = rangeOf(config?.value.toString())
    const leases = findLeases(prefix, entries)
    const { was, write, note } = planReservation(prefix, leases, range, subnet, address)
    if (write === undefined) return { subnet, publicAddress: address, was, note }
    const guards: StoreCondition[] = [
      { key: configKey, modRevision: config?.modRevision ?? '0' },
      { key: write.key, modRevision: write.modRevision },
    ]
    const put: StoreWrite = { type: 'put', key: write.key, value: write.value, lease: '0' }
    if ((await store.commit(guards, [put])) === undefined) return undefined
    // With its key gone from it, the etcd lease would only linger.
    if (write.detached !== undefined) await store.revoke(write.detached)
    return { subnet, publicAddress: address, was, note }
  })
}

/** Gives a reservation back. Throws OperatorError when there is none. */
export async function releaseReservation(store: Store, prefix: string, subnet: Prefix): Promise<Released> {
  return attempt(`release: ${subnet}`, async () => {
    const { entries } = await store.range(`${prefix}/subnets/`)
    const found = findLeases(prefix, entries).find((lease) => isOn(lease, subnet))
    if (found === undefined) throw new OperatorError(`release: ${subnet}: nothing reserves it: it is free`)
    if (found.etcdLease !== '0') {
      throw new OperatorError(
        `release: ${subnet}: leased to ${holderOf(found)}, not reserved: the lease ends by itself a day after its host`,
      )
    }
    const guards = [{ key: found.key, modRevision: found.modRevision }]
    if (found.value === undefined || found.value.backendType === '') {
      const done = await store.commit(guards, [{ type: 'delete', key: found.key }])
      return done === undefined ? undefined : { subnet, now: 'free', note: 'no host had leased it' }
    }
    // Without an etcd lease it is unknown whether its host is alive. With one, a live daemon renews it.
    const etcdLease = await store.grant(LEASE_SECONDS)
    const put: StoreWrite = { type: 'put', key: found.key, value: found.text, lease: etcdLease }
    if ((await store.commit(guards, [put])) === undefined) {
      await store.revoke(etcdLease)
      return undefined
    }
    const note = `${holderOf(found)} keeps it by an ordinary lease, which ends a day after that host stops`
    return { subnet, now: 'lease', note }
  })
}

/** What to write for a reservation; nothing when it is there already. */
export interface ReservationPlan {
  readonly was: Reserved['was']
  readonly write:
    | undefined
    | {
        readonly key: string
        readonly modRevision: string
        readonly value: string
        /** An etcd lease that has no key any more afterwards. */
        readonly detached: string | undefined
      }
  readonly note: string
}

/** Decides what to write. Pure. Throws OperatorError. */
export function planReservation(
  prefix: string,
  leases: readonly ListedLease[],
  range: SubnetRange,
  subnet: Prefix,
  address: Address,
): ReservationPlan {
  const refuse = (why: string): OperatorError => new OperatorError(`reserve: ${subnet}: ${why}`)
  if (!fits(range, subnet)) {
    const { subnetMin, subnetMax, subnetLen } = range
    throw refuse(`must be one of the network's subnets: /${subnetLen} from ${subnetMin} to ${subnetMax}`)
  }
  if (familyOf(address) !== prefixFamily(subnet) || !isUnicast(address) || contains(range.network, address)) {
    throw new OperatorError(
      `reserve: ${address}: must be the address other hosts reach that host by: IPv4, not in ${range.network}`,
    )
  }
  // Wider than any subnet can be: no host's, and it must not keep all out.
  const widest = lengthOf(range.network) + 2
  const inTheWay = (other: Prefix): boolean => overlaps(other, subnet) && lengthOf(other) >= widest
  const rivals = leases.filter(({ subnets }) => valuesOf(subnets).some(inTheWay))
  const foreign = rivals.find((lease) => !isOn(lease, subnet) || !isFor(lease, address))
  if (foreign !== undefined) {
    const way = foreign.etcdLease === '0' ? `reserved for ${holderOf(foreign)}: release it first` : leasedTo(foreign)
    throw refuse(isOn(foreign, subnet) ? way : `overlaps ${primarySubnet(foreign)}, ${way}`)
  }
  const others = leases.filter((lease) => !isOn(lease, subnet) && isFor(lease, address))
  const second = others.find((lease) => lease.etcdLease === '0')
  if (second !== undefined) throw refuse(`${address} has ${primarySubnet(second)} reserved: release that first`)
  const [held] = others
  const moves = held === undefined ? '' : `; ${address} holds ${primarySubnet(held)} until its daemon starts again`
  const [own] = rivals
  if (own === undefined) {
    const key = encodeKey(prefix, onlySubnet(subnet))
    const write = { key, modRevision: '0', value: reservationFor(address), detached: undefined }
    return { was: 'free', write, note: `its host takes it when its daemon starts${moves}` }
  }
  if (own.etcdLease === '0') return { was: 'reservation', write: undefined, note: 'it was reserved already' }
  const shared = leases.some((lease) => lease !== own && lease.etcdLease === own.etcdLease)
  const { key, modRevision, text, etcdLease } = own
  const write = { key, modRevision, value: text, detached: shared ? undefined : etcdLease }
  return { was: 'lease', write, note: 'its host has it, and keeps it from now on without an end' }
}

/** What a reservation says before its host has taken it: Go's LeaseAttrs with nothing in it but whose it is. */
export function reservationFor(address: Address): string {
  return JSON.stringify({ PublicIP: address, PublicIPv6: null })
}

/** Whether a lease is on exactly this subnet. */
function isOn({ subnets }: ListedLease, subnet: Prefix): boolean {
  return valuesOf(subnets).includes(subnet)
}

function isFor({ value }: ListedLease, address: Address): boolean {
  return value !== undefined && hasAddress(value, address)
}

function leasedTo(lease: ListedLease): string {
  return `leased to ${holderOf(lease)}: a lease of another host is never taken from it`
}

function holderOf({ value }: ListedLease): string {
  return value === undefined ? 'an unreadable host' : primaryAddress(value)
}

/** Tries until the answer is not undefined: undefined means that another program wrote in between. */
async function attempt<T>(what: string, once: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const done = await once()
    if (done !== undefined) return done
  }
  throw new OperatorError(`${what}: another program keeps changing it: try again`)
}
