// Reserving a subnet for a host, and giving it back. A reservation is a lease's key without an etcd lease, so that it never
// ends: whatever host has its PublicIP takes it at its next start, ours as Go's, and keeps it.
// Invariant: every write is a transaction on the revisions it was decided on; what another host holds is never written.
import { OperatorError } from '../errors.ts'
import type { StoreCondition, Store, StoreWrite } from '../etcd/store.ts'
import { type Address, isUnicast, familyOf } from '../ip/address.ts'
import { type Prefix, contains, overlaps, prefixFamily } from '../ip/prefix.ts'
import { type SubnetRange, chooseSubnet, fits } from './allocate.ts'
import type { ListedLease } from './found.ts'
import { findLeases } from './claim.ts'
import { encodeKey, encodeReservation } from './codec.ts'
import { LEASE_SECONDS, type Subnets, hasAddress, namesOf, primaryAddress } from './lease.ts'
import { isHosts } from './tie.ts'
import { type SomeFamily, anyFamily, familiesOf, first, inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'

/** What came of a reservation. */
export interface Reserved {
  readonly subnet: Prefix
  /** It and that of the other family, where the network has two. */
  readonly subnets: readonly Prefix[]
  readonly publicAddress: Address
  /** What the subnets were before: `lease` and `reservation` are the same host's. */
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
 * Reserves subnets for the host with a public address; in a family of the network that is not named, a free one. `rangesOf` reads the
 * subnets that may be leased out of the stored network config, or throws. Throws OperatorError when a subnet is another host's,
 * or no host's to have.
 */
export async function reserve(
  store: Store,
  prefix: string,
  wanted: WantedReservation,
  rangesOf: (config: string | undefined) => SomeFamily<SubnetRange>,
): Promise<Reserved> {
  const configKey = `${prefix}/config`
  return attempt(`reserve: ${namesOf(wanted)}`, async () => {
    const { entries } = await store.range(`${prefix}/`)
    const config = entries.find((entry) => entry.key === configKey)
    const ranges = rangesOf(config?.value.toString())
    const leases = findLeases(prefix, entries)
    const { subnets, was, write, note } = planReservation(prefix, leases, ranges, wanted)
    const done = { subnet: first(subnets), subnets: valuesOf(subnets), publicAddress: wanted.address, was, note }
    if (write === undefined) return done
    const guards: StoreCondition[] = [
      { key: configKey, modRevision: config?.modRevision ?? '0' },
      { key: write.key, modRevision: write.modRevision },
    ]
    const put: StoreWrite = { type: 'put', key: write.key, value: write.value, lease: '0' }
    if ((await store.commit(guards, [put])) === undefined) return undefined
    // With its key gone from it, the etcd lease would only linger.
    if (write.detached !== undefined) await store.revoke(write.detached)
    return done
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

/** What is to be reserved, and for whom. */
export interface WantedReservation {
  readonly subnets: Subnets
  /** The public address of the host, of any family that the network has. */
  readonly address: Address
}

/** What to write for a reservation; nothing when it is there already. */
export interface ReservationPlan {
  readonly subnets: Subnets
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

/** Decides what to write. Pure, with `random` as Math.random. Throws OperatorError. */
export function planReservation(
  prefix: string,
  leases: readonly ListedLease[],
  ranges: SomeFamily<SubnetRange>,
  wanted: WantedReservation,
  random: () => number = Math.random,
): ReservationPlan {
  const { address } = wanted
  refusePlace(ranges, wanted)
  const refuse = (why: string): OperatorError => new OperatorError(`reserve: ${namesOf(wanted)}: ${why}`)
  const rivals = leases.filter(
    (lease) => anyFamily(lease.subnets, wanted.subnets, overlaps) && isHosts(lease, { ranges }),
  )
  const foreign = rivals.find((lease) => !isOnAll(lease, wanted.subnets) || !isFor(lease, address))
  if (foreign !== undefined) throw refuse(whyNot(foreign, wanted))
  const others = leases.filter((lease) => !rivals.includes(lease) && isFor(lease, address))
  const second = others.find((lease) => lease.etcdLease === '0')
  if (second !== undefined) throw refuse(`${address} has ${namesOf(second)} reserved: release that first`)
  const [held] = others
  const moves = held === undefined ? '' : `; ${address} holds ${namesOf(held)} until its daemon starts again`
  const [own] = rivals
  if (own === undefined) {
    const subnets = filledUp(ranges, wanted, leases, random)
    const write = {
      key: encodeKey(prefix, subnets),
      modRevision: '0',
      value: encodeReservation(address),
      detached: undefined,
    }
    return { subnets, was: 'free', write, note: `its host takes it when its daemon starts${moves}` }
  }
  const { subnets, key, modRevision, text, etcdLease } = own
  if (etcdLease === '0') return { subnets, was: 'reservation', write: undefined, note: 'it was reserved already' }
  const shared = leases.some((lease) => lease !== own && lease.etcdLease === own.etcdLease)
  const write = { key, modRevision, value: text, detached: shared ? undefined : etcdLease }
  return { subnets, was: 'lease', write, note: 'its host has it, and keeps it from now on without an end' }
}

/** Refuses what no host of this network can have. Throws OperatorError. */
function refusePlace(ranges: SomeFamily<SubnetRange>, { subnets, address }: WantedReservation): void {
  for (const subnet of valuesOf(subnets)) {
    const range = inFamily(ranges, prefixFamily(subnet))
    if (range === undefined)
      throw new OperatorError(
        `reserve: ${subnet}: the network has no IPv${prefixFamily(subnet)}: see EnableIPv${prefixFamily(subnet)}`,
      )
    const { subnetMin, subnetMax, subnetLen } = range
    if (!fits(range, subnet))
      throw new OperatorError(
        `reserve: ${subnet}: must be one of the network's subnets: /${subnetLen} from ${subnetMin} to ${subnetMax}`,
      )
  }
  const range = inFamily(ranges, familyOf(address))
  const networks = valuesOf(ranges).map(({ network }) => network)
  if (range !== undefined && isUnicast(address) && !contains(range.network, address)) return
  const families = familiesOf(ranges).map((family) => `IPv${family}`)
  throw new OperatorError(
    `reserve: ${address}: must be the address other hosts reach that host by: ${families.join(' or ')}, not in ${networks.join(' or ')}`,
  )
}

/** Why a lease that is in the way cannot give way. */
function whyNot(foreign: ListedLease, { subnets, address }: WantedReservation): string {
  if (isFor(foreign, address))
    return `overlaps ${namesOf(foreign)}, which ${address} has itself: reserve that, or stop its daemon and let the lease end`
  const way = foreign.etcdLease === '0' ? `reserved for ${holderOf(foreign)}: release it first` : leasedTo(foreign)
  return anyFamily(foreign.subnets, subnets, (its, ours) => its === ours) ? way : `overlaps ${namesOf(foreign)}, ${way}`
}

/** The named subnets, with a free one in each other family of the network. Throws OperatorError when there is none. */
function filledUp(
  ranges: SomeFamily<SubnetRange>,
  wanted: WantedReservation,
  leases: readonly ListedLease[],
  random: () => number,
): Subnets {
  const chosen = mapFamilies(ranges, (range, family) => {
    const named = inFamily(wanted.subnets, family)
    const taken = leases.flatMap(({ subnets }) => inFamily(subnets, family) ?? [])
    const subnet = named ?? chooseSubnet(range, taken, random)
    if (subnet === undefined)
      throw new OperatorError(`reserve: ${namesOf(wanted)}: no IPv${family} subnet is free beside it`)
    return subnet
  })
  return chosen
}

/** Whether a lease has all of these subnets. */
function isOnAll(lease: ListedLease, subnets: Subnets): boolean {
  return valuesOf(subnets).every((subnet) => isOn(lease, subnet))
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
