// Log lines about another host's lease that blocks ours.
import { inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import { printable } from '../text/plain-text.ts'
import { type SubnetRange, fits } from './allocate.ts'
import type { Claim, ListedLease, OwnLease } from './found.ts'
import { type Subnets, primarySubnet, primaryAddress } from './lease.ts'

/** Whose it is. */
export function ownerOf({ value }: ListedLease): string {
  return `${value === undefined ? 'an unknown host' : primaryAddress(value)}${value?.hostId === undefined ? '' : ` (host id ${printable(value.hostId, 64)})`}`
}

/** Our subnet is another host's. */
export function lost(lease: ListedLease): string {
  return `lease lost: ${primarySubnet(lease)} is ${ownerOf(lease)}'s now`
}

/** Our public address is another host's as well. */
export function duplicate(lease: ListedLease): string {
  const address = lease.value === undefined ? '' : primaryAddress(lease.value)
  const what = `duplicate address: ${address}: ${primarySubnet(lease)} is leased to it under host id ${printable(lease.value?.hostId ?? '', 64)}`
  return lease.etcdLease === '0'
    ? `${what} by a reservation; if that host is gone, run: flanneld release ${primarySubnet(lease)}`
    : `${what}, and that host lives; give one of the two another -public-ip`
}

/** A line for each subnet we leave: those given up, and at a start that of subnet.env, though its lease may be gone. */
export function leaving(
  { release, subnets }: { readonly release: readonly ListedLease[]; readonly subnets: Subnets },
  { previous, ranges }: Claim,
  held: OwnLease | undefined,
): readonly string[] {
  const lines = mapFamilies(subnets, (subnet, family) => {
    const start = held === undefined ? inFamily(previous, family) : undefined
    const left = new Set([...release.map((lease) => inFamily(lease.subnets, family)), start])
    left.delete(subnet)
    const range = inFamily(ranges, family)
    return [...left].flatMap((before) => {
      if (before === undefined) return []
      const why = range === undefined || fits(range, before) ? '' : `: ${place(range)}`
      return [`gave up ${before} for ${subnet}${why}`]
    })
  })
  return valuesOf(lines).flat()
}

function place({ subnetMin, subnetMax, subnetLen }: SubnetRange): string {
  return `the network config has subnets of /${subnetLen} from ${subnetMin} to ${subnetMax}`
}

/** A lease that our own code cannot read: its subnet counts as taken. */
export function refusedBug(key: string, why: string): string {
  return `lease refused: ${printable(key, 120)}: bug: ${why}`
}

/** Lines that are remembered, so as to say each once. */
const MOST_SAID = 500

/** Lines already logged. Some quote other hosts' text, so the set is bounded: beyond the bound a line may be logged again. */
export class SaidOnce {
  readonly #logged = new Set<string>()

  isNew(line: string): boolean {
    if (this.#logged.has(line)) return false
    if (this.#logged.size >= MOST_SAID) this.#logged.clear()
    this.#logged.add(line)
    return true
  }
}
