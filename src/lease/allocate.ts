// The pure choice of a free subnet out of the range.
// Invariant: what is chosen is inside the range, has the range's length and overlaps nothing taken; while something is
// free, something is chosen.
import { type Address, bigintOf, familyOf, fromBigint, numberOf } from '../ip/address.ts'
import { addressOf, bitsOf, lengthOf, type Prefix, prefixFamily } from '../ip/prefix.ts'

/** The subnets of one family that hosts may lease. */
export interface SubnetRange {
  readonly network: Prefix
  /** Length of every host's subnet, in bits. */
  readonly subnetLen: number
  /** First address of the first and of the last subnet that may be leased. */
  readonly subnetMin: Address
  readonly subnetMax: Address
}

/** How many subnets a range holds. */
export function sizeOf(range: SubnetRange): bigint {
  return ((bigintOf(range.subnetMax) - bigintOf(range.subnetMin)) >> hostBits(range)) + 1n
}

/** Whether a subnet is one of the range's. */
export function fits(range: SubnetRange, subnet: Prefix): boolean {
  if (prefixFamily(subnet) !== familyOf(range.subnetMin) || lengthOf(subnet) !== range.subnetLen) return false
  const first = bigintOf(addressOf(subnet))
  return first >= bigintOf(range.subnetMin) && first <= bigintOf(range.subnetMax)
}

/**
 * A free subnet, any with equal chance, so that hosts starting at once seldom meet; undefined when none is free. `random`
 * gives numbers in [0, 1) like Math.random. Costs the sorting of what is taken, however large the range.
 */
export function chooseSubnet(range: SubnetRange, taken: Iterable<Prefix>, random: () => number): Prefix | undefined {
  const blocks = takenBlocks(range, taken)
  const free = freeBeside(range, blocks)
  if (free <= 0n) return undefined
  // The n-th free slot: n moves up by the length of each taken block before it.
  let slot = (BigInt(Math.floor(random() * 2 ** 53)) * free) >> 53n
  for (const { from, to } of blocks) {
    if (slot < from) break
    slot += to - from + 1n
  }
  const first = bigintOf(range.subnetMin) + (slot << hostBits(range))
  return `${fromBigint(familyOf(range.subnetMin), first)}/${range.subnetLen}` as Prefix
}

/** How many subnets of a range are free. */
export function countFree(range: SubnetRange, taken: Iterable<Prefix>): bigint {
  return freeBeside(range, takenBlocks(range, taken))
}

function freeBeside(range: SubnetRange, blocks: readonly Block[]): bigint {
  return blocks.reduce((free, { from, to }) => free - (to - from + 1n), sizeOf(range))
}

/** Slots of the range, counted from its first subnet, that a block of addresses covers; both ends belong to it. */
interface Block {
  readonly from: bigint
  to: bigint
}

/** What is taken of the range, in order and without overlap. */
function takenBlocks(range: SubnetRange, taken: Iterable<Prefix>): readonly Block[] {
  const family = familyOf(range.subnetMin)
  const start = bigintOf(range.subnetMin)
  const last = sizeOf(range) - 1n
  const shift = hostBits(range)
  const blocks: Block[] = []
  for (const prefix of taken) {
    if (prefixFamily(prefix) !== family || (bitsOf(family) === 32 && outside(range, prefix))) continue
    const first = bigintOf(addressOf(prefix)) - start
    const end = first + (1n << BigInt(bitsOf(family) - lengthOf(prefix))) - 1n
    // A shift rounds down for negative numbers too, so a prefix that starts before the range is cut right.
    const from = first >> shift
    const to = end >> shift
    if (to >= 0n && from <= last) blocks.push({ from: from < 0n ? 0n : from, to: to > last ? last : to })
  }
  blocks.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
  const merged: Block[] = []
  for (const block of blocks) {
    const before = merged.at(-1)
    if (before !== undefined && block.from <= before.to + 1n) {
      if (block.to > before.to) before.to = block.to
    } else {
      merged.push(block)
    }
  }
  return merged
}

/** Whether an IPv4 prefix lies outside the range: with plain numbers, because many do in a large network. */
function outside({ subnetMin, subnetMax, subnetLen }: SubnetRange, prefix: Prefix): boolean {
  const first = numberOf(prefix)
  const outsideAbove = first >= numberOf(subnetMax) + 2 ** (32 - subnetLen)
  return outsideAbove || first + 2 ** (32 - lengthOf(prefix)) <= numberOf(subnetMin)
}

function hostBits(range: SubnetRange): bigint {
  return BigInt(bitsOf(familyOf(range.subnetMin)) - range.subnetLen)
}
