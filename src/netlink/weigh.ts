// A number for a netlink message of which only parts matter: the same for what we ask the kernel to write and for what it
// then shows in a dump. Invariant: messages that differ in a part that matters have different numbers, up to chance (1 in
// 2^32); the order of attributes does not matter. Padding is zero in both directions, so complete words will do.
import { NLA_TYPE_MASK } from './constants.ts'

/** What matters of a message: bits of the 32-bit words of its own header, and (bit n) attributes of type n < 32. */
export interface Parts {
  readonly header: readonly number[]
  readonly attributes: number
  /** Where an attribute of this type is present, something else matters. */
  readonly unless?: { readonly type: number; readonly header: readonly number[]; readonly attributes: number }
}

/** The weight of the message whose own header starts at `start` and whose attributes end at `end`. */
export function weigh(view: DataView, start: number, end: number, parts: Parts): number {
  const { header, attributes, unless } = parts
  let all = 0
  let some = 0
  let otherwise = false
  for (let at = start + header.length * 4; at + 4 <= end;) {
    const length = view.getUint16(at, true)
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK
    const next = at + ((length + 3) & ~3)
    if (length < 4 || next > end) break
    if (isIn(attributes, type)) {
      const hash = weighAttribute(view, at, next)
      all = (all + hash) | 0
      if (unless !== undefined && isIn(unless.attributes, type)) some = (some + hash) | 0
      if (type === unless?.type) otherwise = true
    }
    at = next
  }
  const mask = unless !== undefined && otherwise ? unless.header : header
  let hash = mix(SEED, otherwise ? some : all)
  for (let i = 0; i < mask.length && start + i * 4 + 4 <= end; i++)
    hash = mix(hash, view.getUint32(start + i * 4, true) & (mask[i] ?? 0))
  return hash >>> 0
}

/** Whether a set of types (bit n: type n) has one. */
function isIn(types: number, type: number): boolean {
  return type < 32 && ((types >>> type) & 1) === 1
}

/** The weight of an attribute, its length and type included; its type's flags do not matter. */
function weighAttribute(view: DataView, at: number, next: number): number {
  let hash = mix(SEED, view.getUint32(at, true) & TYPE_AND_LENGTH)
  for (let word = at + 4; word < next; word += 4) hash = mix(hash, view.getUint32(word, true))
  return hash
}

/** Of an attribute's first word: its length below, its type above. */
const TYPE_AND_LENGTH = (NLA_TYPE_MASK << 16) | 0xffff

const SEED = 0x811c9dc5

/** One step of a multiplicative hash; the rotation lets high bits matter to low ones. */
function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x01000193)
  return Math.imul((mixed << 13) | (mixed >>> 19), 0x9e3779b1)
}
