// The leases as an operator sees them: each with whose it is and when it ends, and how the range of subnets is used.
// Invariant: every key under subnets/ is shown, also those no daemon believes, with the reason; nothing is written.
import type { Checked } from '../backend.ts'
import type { StoreEntry, Snapshot, Store } from '../etcd/store.ts'
import { messageOf } from '../errors.ts'
import { bigintOf } from '../ip/address.ts'
import { type Prefix, addressOf, contains, lengthOf, overlaps } from '../ip/prefix.ts'
import { type SubnetRange, chooseSubnet, countFree, fits, sizeOf } from '../lease/allocate.ts'
import { decodeClaim, decodeKey, subnetsFolder } from '../lease/codec.ts'
import { isRenewed } from '../lease/liveness.ts'
import { isAwaited } from '../lease/peer-check.ts'
import { addressShutOut } from '../lease/shut-out.ts'
import { parseNetworkConfig } from '../network-config/parse.ts'
import { printable } from '../text/plain-text.ts'
import { span } from '../text/duration.ts'
import { primarySubnet, primaryAddress } from '../lease/lease.ts'
import { servedRange } from '../network-config/configuration.ts'

/** One lease or reservation. Null is what is not known. */
export interface LeaseLine {
  /** As the key has it where that names no subnet. */
  readonly subnet: string
  readonly subnet6: string | null
  readonly publicAddress: string | null
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

/** How the range is used. */
interface SubnetCounts {
  readonly total: number
  /** Not free, reservations among them. */
  readonly used: number
  readonly reserved: number
  readonly free: number
  /** The first free one; null when there is none. Hosts take any, not this one first. */
  readonly next: string | null
}

/** Everything under a prefix at one revision. */
export interface LeaseView {
  readonly prefix: string
  readonly revision: string
  readonly network: string | null
  /** Null without a network config that can be read; `trouble` then says why. */
  readonly subnets: SubnetCounts | null
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
  const { range, trouble } = rangeIn(entries.find((entry) => entry.key === `${prefix}/config`))
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
  named.sort((a, b) => compare(bigintOf(addressOf(a.subnet)), bigintOf(addressOf(b.subnet))))
  const unnamed = read.flatMap(({ entry, key }) => (key === undefined ? [entry] : []))
  const lines = named.map(({ entry, subnet, subnets }, i) => {
    const before = named[i - 1]?.subnet
    const odd = range === undefined ? '' : oddity(range, subnet, before)
    return lineOf(entry, { subnet, subnet6: subnets.ipv6 ?? null, own: subnet === own, odd }, times)
  })
  const malformed = unnamed.map((entry) =>
    lineOf(
      entry,
      {
        subnet: printable(entry.key.slice(folder.length), MOST_WORD),
        subnet6: null,
        own: false,
        odd: 'its key names no subnet',
      },
      times,
    ),
  )
  return {
    prefix,
    revision,
    network: range?.network ?? null,
    subnets: range === undefined ? null : countsOf(range, named),
    trouble,
    shutOut,
    leases: [...lines, ...malformed].map((line) => ({ ...line, note: withShutOut(line, shutOut) })),
  }
}

/** The note of a line, which says first when its host is shut out. */
function withShutOut({ publicAddress, note }: LeaseLine, shutOut: readonly string[]): string {
  if (publicAddress === null || !shutOut.includes(publicAddress)) return note
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
    publicAddress: read.ok ? primaryAddress(read.value) : null,
    type: type === '' ? null : type,
    kind,
    expiresIn: time?.remaining ?? null,
    hostId: hostId === null ? null : printable(hostId, MOST_WORD),
    expiring,
    note: noteOf(entry, odd, read, silence),
  }
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

/** What is wrong with where a subnet lies; `before` is the one before it in order. */
function oddity(range: SubnetRange, subnet: Prefix, before: Prefix | undefined): string {
  if (!contains(range.network, subnet)) return `outside ${range.network}`
  if (lengthOf(subnet) !== range.subnetLen) return `not a /${range.subnetLen}`
  if (before !== undefined && contains(range.network, before) && overlaps(before, subnet)) return `overlaps ${before}`
  return fits(range, subnet) ? '' : 'outside SubnetMin to SubnetMax'
}

function countsOf(
  range: SubnetRange,
  named: readonly { readonly entry: StoreEntry; readonly subnet: Prefix }[],
): SubnetCounts {
  // As when a host chooses: what is wider than a quarter of the network takes nothing.
  const widest = lengthOf(range.network) + 2
  const taken = named.map(({ subnet }) => subnet).filter((subnet) => lengthOf(subnet) >= widest)
  const total = sizeOf(range)
  const free = countFree(range, taken)
  const reserved = new Set(
    named.flatMap(({ entry, subnet }) => (entry.lease === '0' && fits(range, subnet) ? [subnet] : [])),
  )
  return {
    total: Number(total),
    used: Number(total - free),
    reserved: reserved.size,
    free: Number(free),
    next: chooseSubnet(range, taken, () => 0) ?? null,
  }
}

/** The subnets that may be leased by a stored config, or why they are unknown. */
function rangeIn(config: StoreEntry | undefined): {
  readonly range: SubnetRange | undefined
  readonly trouble: string
} {
  if (config === undefined) return { range: undefined, trouble: 'no network config' }
  try {
    const range = servedRange(parseNetworkConfig(config.value.toString()).config)
    return { range, trouble: range === undefined ? 'network config: EnableIPv4: false: no IPv4 range' : '' }
  } catch (error) {
    return { range: undefined, trouble: messageOf(error) }
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
