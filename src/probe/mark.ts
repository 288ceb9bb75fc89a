// The mark in the data of echo requests, as bytes: the same in both families but for the length of the address in it.
import { type Address, type Family, familyOf, fromBytes, toBytes } from '../ip/address.ts'
import { bitsOf } from '../ip/prefix.ts'
import type { Mark } from './echo.ts'

/** First bytes of the mark: "flnp", and the version of what follows. */
export const MAGIC = 0x66_6c_6e_70
const VERSION = 1

/** Flags. */
const SILENT = 1
const TRIAL = 2
/** Tenths of a second that mean "never" and "not said". */
const NEVER = 0xfffe
const NOT_SAID = 0xffff

/** Where the address begins, and the token that follows it. */
const ADDRESS = 8
const TOKEN = 4

const addressBytes = (family: Family): number => bitsOf(family) / 8

/** Its length in bytes. */
export function markLength(family: Family): number {
  return ADDRESS + addressBytes(family) + TOKEN
}

/** Writes it into zeros. A subnet of another family than the packet's has no place in it. */
export function writeMark(into: Buffer, family: Family, { token, subnet, silent, trial, heard }: Mark): void {
  into.writeUInt32BE(MAGIC, 0)
  into.writeUInt8(VERSION, 4)
  into.writeUInt8((silent ? SILENT : 0) | (trial ? TRIAL : 0), 5)
  const tenths = heard === undefined ? NOT_SAID : Math.min(NEVER, Math.floor(heard * 10))
  into.writeUInt16BE(tenths, 6)
  if (subnet !== undefined && familyOf(subnet) === family) into.set(toBytes(subnet), ADDRESS)
  into.writeUInt32BE(token, ADDRESS + addressBytes(family))
}

/** Undefined for what is no mark. Nothing of `from` is kept. */
export function readMark(from: Buffer, family: Family): Mark | undefined {
  if (from.length < markLength(family) || from.readUInt32BE(0) !== MAGIC || from.readUInt8(4) !== VERSION) {
    return undefined
  }
  const tenths = from.readUInt16BE(6)
  const end = ADDRESS + addressBytes(family)
  return {
    token: from.readUInt32BE(end),
    subnet: addressIn(from.subarray(ADDRESS, end)),
    silent: (from.readUInt8(5) & SILENT) !== 0,
    trial: (from.readUInt8(5) & TRIAL) !== 0,
    heard: tenths === NOT_SAID ? undefined : tenths === NEVER ? Infinity : tenths / 10,
  }
}

function addressIn(bytes: Buffer): Address | undefined {
  return bytes.every((byte) => byte === 0) ? undefined : fromBytes(bytes)
}
