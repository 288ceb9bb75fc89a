// The leases as an operator sees them: each with whose it is and when it ends, and how the range of subnets is used.
// Invariant: every key under subnets/ is shown, also those no daemon believes, with the reason; nothing is written.
import type { Checked } from '../backend.ts'
import type { StoreEntry, Snapshot, Store } from '../etcd/store.ts'
import { messageOf } from '../errors.ts'
import type { Family } from '../ip/address.ts'
import { type ByFamily, FAMILIES, NEITHER, inFamily } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { SubnetRange } from '../lease/allocate.ts'
import { decodeClaim, decodeKey, subnetsFolder } from '../lease/codec.ts'
import { isRenewed } from '../lease/liveness.ts'
import { isAwaited } from '../lease/peer-check.ts'
import { addressShutOut } from '../lease/shut-out.ts'
import { parseNetworkConfig } from '../network-config/parse.ts'
import { printable } from '../text/plain-text.ts'
import { span } from '../text/duration.ts'
import { type LeaseValue, type Subnets, primaryAddress, primarySubnet } from '../lease/lease.ts'
import type { FamilyView } from './status-shape.ts'
import { type SubnetCounts, inSubnetOrder, subnetCountsOf, odditiesOf } from './range-use.ts'

/** One lease or reservation. Null is what is not known. */
export interface LeaseLine {
  /** As the key has it where that names no subnet. */
  readonly subnet: string
  readonly subnet6: string | null
  readonly publicAddress: string | null
  readonly publicAddress6: string | null
  /** Its backend; null in a reservation that no host has taken yet. */
  readonly type: string | null
  readonly kind: 'lease' | 'reservation'
  /** Seconds; null for a reservation, and when not asked for. */
  readonly expiresIn: number | null
  /** Null for one that Go's flanneld wrote. */
  readonly hostId: string | null
  /** Whether it is that of the host asked. */
  readonly own: boolean
  /** Whether it will end unless its host comes back. */
  readonly expiring: boolean
  /** For people; empty when there is nothing to say. */
  readonly note: string
}

/** The subnets of one family, and how they are used. */
interface RangeCounts extends SubnetCounts {
  readonly network: string
}

/** Everything under a prefix at one revision. */
export interface LeaseView {
  readonly prefix: string
  readonly revision: string
  readonly network: string | null
  /** Null without a network config that can be read; `trouble` then says why. */
  readonly subnets: SubnetCounts | null
  /** The network of each family with its subnets; the first one is that of `network` and `subnets`. */
  readonly ranges: readonly RangeCounts[]
  readonly trouble: string
  /** Public addresses that the operator has shut out, with or without a lease. */
  readonly shutOut: readonly string[]
  /** In the order of their subnets, unreadable keys last. */
  readonly leases: readonly LeaseLine[]
}

/** Remaining and granted seconds of an etcd lease; undefined when it is gone. */
export type Times = ReadonlyMap<string, { readonly remaining: number; readonly granted: number } | undefined>

/** Each lease is a request of its own: the most at once. */
const ABREAST = 32

/** Characters that are shown of a word that others chose. */
const MOST_WORD = 60

/** Reads them. `own` is the subnet of the host asked; with `times` false no lease is asked for its time, and there is one request in all. */
export async function readLeases(
  store: Store,
  prefix: string,
  { own, times = true }: { readonly own?: Prefix | undefined; readonly times?: boolean } = {},
): Promise<LeaseView> {
  const snapshot = await store.range(`${prefix}/`)
  const folder = subnetsFolder(prefix)
  const ids = new Set(snapshot.entries.filter(({ key }) => key.startsWith(folder)).map(({ lease }) => lease))
  ids.delete('0')
  return viewOf(prefix, snapshot, times ? await timesOf(store, [...ids]) : new Map(), own)
}

async function timesOf(store: Store, ids: readonly string[]): Promise<Times> {
  const times = new Map<string, { readonly remaining: number; readonly granted: number } | undefined>()
  const rest = ids.values()
  const asker = async (): Promise<void> => {
    for (const id of rest) times.set(id, await store.timeToLive(id))
  }
  await Promise.all(Array.from({ length: ABREAST }, asker))
  return times
}

/** The view of what was read. Pure. */
export function viewOf(prefix: string, { revision, entries }: Snapshot, times: Times, own?: Prefix): LeaseView {
  const { ranges, trouble } = rangesIn(entries.find((entry) => entry.key === `${prefix}/config`))
  const folder = subnetsFolder(prefix)
  const shutOut = entries.flatMap(({ key }) => addressShutOut(prefix, key) ?? [])
  const read = entries
    .filter((entry) => entry.key.startsWith(folder))
    .map((entry) => {
      const key = decodeKey(prefix, entry.key)
      return { entry, key: key.ok ? key.value : undefined }
    })
  const named = read.flatMap(({ entry, key }) =>
    key === undefined ? [] : [{ entry, subnets: key, subnet: primarySubnet({ subnets: key }) }],
  )
  named.sort((a, b) => inSubnetOrder(a.subnet, b.subnet))
  const unnamed = read.flatMap(({ entry, key }) => (key === undefined ? [entry] : []))
  const uses = FAMILIES.flatMap((family) => {
    const range = inFamily(ranges, family)
    return range === undefined ? [] : [useOf(range, family, named)]
  })
  const lines = named.map(({ entry, subnet, subnets }) => {
    const odd = uses.flatMap(({ odd }) => odd.get(entry) ?? []).join('; ')
    return lineOf(entry, { subnet, subnet6: subnets.ipv6 ?? null, own: subnet === own, odd }, times)
  })
  const malformed = unnamed.map((entry) => {
    const subnet = printable(entry.key.slice(folder.length), MOST_WORD)
    return lineOf(entry, { subnet, subnet6: null, own: false, odd: 'its key names no subnet' }, times)
  })
  const counted = uses.map(({ counts }) => counts)
  const [first] = counted
  return {
    prefix,
    revision,
    network: first?.network ?? null,
    subnets: first === undefined ? null : subnetCounts(first),
    ranges: counted,
    trouble,
    shutOut,
    leases: [...lines, ...malformed].map((line) => ({ ...line, note: withShutOut(line, shutOut) })),
  }
}

function subnetCounts({ network: _, ...counts }: RangeCounts): SubnetCounts {
  return counts
}

/** The families of a host with two, as its lease has them; none of a host with one. */
export function familiesOfLease({
  subnet,
  subnet6,
  publicAddress,
  publicAddress6,
}: LeaseLine): readonly Pick<FamilyView, 'family' | 'subnet' | 'publicAddress'>[] {
  if (subnet6 === null || subnet6 === subnet) return []
  return [
    { family: 4, subnet, publicAddress },
    { family: 6, subnet: subnet6, publicAddress: publicAddress6 },
  ]
}

/** How the leases use the range of one family. */
function useOf(
  range: SubnetRange,
  family: Family,
  named: readonly { readonly entry: StoreEntry; readonly subnets: Subnets }[],
): { readonly counts: RangeCounts; readonly odd: ReadonlyMap<StoreEntry, string> } {
  const its = named.flatMap(({ entry, subnets }) => {
    const subnet = inFamily(subnets, family)
    return subnet === undefined ? [] : [{ entry, subnet }]
  })
  const odd = Array.from(odditiesOf(range, its), ([{ entry }, text]) => [entry, text] as const)
  return { counts: { network: range.network, ...subnetCountsOf(range, its) }, odd: new Map(odd) }
}

/** The note of a line, which says first when its host is shut out. */
function withShutOut({ publicAddress, publicAddress6, note }: LeaseLine, shutOut: readonly string[]): string {
  if (![publicAddress, publicAddress6].some((address) => address !== null && shutOut.includes(address))) return note
  return note === '' ? 'refused: shut-out' : `refused: shut-out; ${note}`
}

interface Place {
  readonly subnet: string
  readonly subnet6: string | null
  readonly own: boolean
  /** What is wrong with the key. */
  readonly odd: string
}

function lineOf(entry: StoreEntry, { odd, ...place }: Place, times: Times): LeaseLine {
  const read = decodeClaim(entry.value)
  const kind = entry.lease === '0' ? 'reservation' : 'lease'
  const time = times.get(entry.lease)
  const hostId = read.ok ? (read.value.hostId ?? null) : null
  const type = read.ok ? printable(read.value.backendType, MOST_WORD) : ''
  const expiring = time !== undefined && !isRenewed(time, hostId ?? undefined)
  const silence = time !== undefined && expiring ? time.granted - time.remaining : undefined
  return {
    ...place,
    ...addressesIn(read),
    type: type === '' ? null : type,
    kind,
    expiresIn: time?.remaining ?? null,
    hostId: hostId === null ? null : printable(hostId, MOST_WORD),
    expiring,
    note: noteOf(entry, odd, read, silence),
  }
}

function addressesIn(read: Checked<LeaseValue>): Pick<LeaseLine, 'publicAddress' | 'publicAddress6'> {
  if (!read.ok) return { publicAddress: null, publicAddress6: null }
  return { publicAddress: primaryAddress(read.value), publicAddress6: read.value.addresses.ipv6 ?? null }
}

/** What an operator should know of a lease; `silence` is how long it was not renewed, in seconds, when that is too long. */
function noteOf(entry: StoreEntry, odd: string, read: Checked<unknown>, silence: number | undefined): string {
  const notes = [
    odd,
    read.ok ? '' : `unreadable: ${read.reason}`,
    isAwaited(entry) ? 'awaits its host' : '',
    silence === undefined ? '' : `expiring: not renewed for ${span(silence)}`,
  ]
  return notes.filter((note) => note !== '').join('; ')
}

/** The subnets that may be leased by a stored config, or why they are unknown. */
function rangesIn(config: StoreEntry | undefined): {
  readonly ranges: ByFamily<SubnetRange>
  readonly trouble: string
} {
  if (config === undefined) return { ranges: NEITHER, trouble: 'no network config' }
  try {
    return { ranges: parseNetworkConfig(config.value.toString()).config.ranges, trouble: '' }
  } catch (error) {
    return { ranges: NEITHER, trouble: messageOf(error) }
  }
}
