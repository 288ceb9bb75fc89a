// Reading netlink messages: where each attribute is, found once per message, and its value in our own types.
// Invariant: a Message and its tables are reused for the next message: copy out what is to be kept. Lengths that come
// from the kernel are checked against the buffer all the same; a broken message reads as one without attributes.
import { type Address, fromBytes } from '../ip/address.ts'
import { type Mac, macFromBytes } from '../ip/mac.ts'
import { NLA_TYPE_MASK } from './constants.ts'
import { HEADER } from './message.ts'
import { type Parts, weigh } from './weigh.ts'

const KNOWN = 64
const utf8 = new TextDecoder()

/** The attributes of a message or of an attribute, by type; of several with one type, the last. */
export class Attributes {
  readonly #at = new Int32Array(KNOWN)
  readonly #size = new Int32Array(KNOWN)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #bytes: Uint8Array = new Uint8Array(0)

  /** Finds the attributes between two offsets. */
  parse(bytes: Uint8Array, view: DataView, start: number, end: number): this {
    this.#bytes = bytes
    this.#view = view
    this.#at.fill(0)
    for (let at = start; at + 4 <= end;) {
      const length = view.getUint16(at, true)
      const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK
      if (length < 4 || at + length > end) break
      if (type < KNOWN) {
        this.#at[type] = at + 4
        this.#size[type] = length - 4
      }
      at += (length + 3) & ~3
    }
    return this
  }

  has(type: number): boolean {
    return this.#at[type] !== 0
  }

  /** A number of one, two or four bytes; 0 when absent. */
  number(type: number): number {
    const at = this.#at[type] ?? 0
    if (at === 0) return 0
    const size = this.#size[type] ?? 0
    if (size >= 4) return this.#view.getUint32(at, true)
    return size >= 2 ? this.#view.getUint16(at, true) : size === 1 ? this.#view.getUint8(at) : 0
  }

  /** A 16-bit number in network order; 0 when absent. */
  be16(type: number): number {
    const at = this.#at[type] ?? 0
    return at === 0 || (this.#size[type] ?? 0) < 2 ? 0 : this.#view.getUint16(at, false)
  }

  /** Text up to its NUL; empty when absent. */
  text(type: number): string {
    const bytes = this.#raw(type)
    const end = bytes.indexOf(0)
    return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end))
  }

  /** An IP address of 4 or 16 bytes, else undefined. */
  address(type: number): Address | undefined {
    const bytes = this.#raw(type)
    return bytes.length === 4 || bytes.length === 16 ? fromBytes(bytes) : undefined
  }

  /** A gateway of another family than its route (struct rtvia { family u16, address }), else undefined. */
  via(type: number): Address | undefined {
    const bytes = this.#raw(type).subarray(2)
    return bytes.length === 4 || bytes.length === 16 ? fromBytes(bytes) : undefined
  }

  /** The bytes of an attribute, in the buffer of its message; none when absent. */
  bytes(type: number): Uint8Array {
    return this.#raw(type)
  }

  /** An Ethernet address; undefined when absent or of another size. */
  mac(type: number): Mac | undefined {
    const bytes = this.#raw(type)
    return bytes.length === 6 ? macFromBytes(bytes) : undefined
  }

  /** Finds the attributes inside this one. */
  nested(type: number, into: Attributes): Attributes {
    const at = this.#at[type] ?? 0
    return into.parse(this.#bytes, this.#view, at, at === 0 ? 0 : at + (this.#size[type] ?? 0))
  }

  /** Visits the elements of an array, which are attributes inside this one: each with the attributes in it. */
  each(type: number, into: Attributes, visit: (element: Attributes) => void): void {
    const start = this.#at[type] ?? 0
    const end = start + (start === 0 ? 0 : (this.#size[type] ?? 0))
    const [bytes, view] = [this.#bytes, this.#view]
    for (let at = start; at + 4 <= end;) {
      const length = view.getUint16(at, true)
      if (length < 4 || at + length > end) break
      visit(into.parse(bytes, view, at + 4, at + length))
      at += (length + 3) & ~3
    }
  }

  /** A 64-bit number as far as it is exact; 0 when absent. */
  u64(type: number): number {
    const at = this.#at[type] ?? 0
    return at === 0 || (this.#size[type] ?? 0) < 8 ? 0 : Number(this.#view.getBigUint64(at, true))
  }

  #raw(type: number): Uint8Array {
    const at = this.#at[type] ?? 0
    return at === 0 ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(at, at + (this.#size[type] ?? 0))
  }
}

/** One message as received. */
export class Message {
  type = 0
  flags = 0
  sequence = 0
  /** Port of the socket whose request caused it; 0 for the kernel's own doing. */
  port = 0
  /** Bytes of its payload. */
  length = 0
  readonly attributes = new Attributes()
  readonly nested = new Attributes()
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #start = 0

  /** Reads out of `bytes`, which the socket receives into. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Reads the nlmsghdr at `at`; where the next message is, or 0 when there is none. */
  read(at: number, end: number): number {
    if (at + HEADER > end) return 0
    const length = this.#view.getUint32(at, true)
    if (length < HEADER || at + length > end) return 0
    this.type = this.#view.getUint16(at + 4, true)
    this.flags = this.#view.getUint16(at + 6, true)
    this.sequence = this.#view.getUint32(at + 8, true)
    this.port = this.#view.getUint32(at + 12, true)
    this.#start = at + HEADER
    this.length = length - HEADER
    return at + ((length + 3) & ~3)
  }

  /** Parts of the message's own header. */
  u8(offset: number): number {
    return offset < this.length ? this.#view.getUint8(this.#start + offset) : 0
  }

  u16(offset: number): number {
    return offset + 2 <= this.length ? this.#view.getUint16(this.#start + offset, true) : 0
  }

  u32(offset: number): number {
    return offset + 4 <= this.length ? this.#view.getUint32(this.#start + offset, true) : 0
  }

  i32(offset: number): number {
    return this.u32(offset) | 0
  }

  /** Bytes of the message's own header, in the buffer of the message; fewer where it is shorter. */
  fixed(offset: number, size: number): Uint8Array {
    return this.#bytes.subarray(this.#start + offset, this.#start + Math.min(offset + size, this.length))
  }

  /** The weight of this message: see weigh.ts. */
  weigh(parts: Parts): number {
    return weigh(this.#view, this.#start, this.#start + this.length, parts)
  }

  /** Whether the first attribute of a type has exactly these bytes; `fixed` is the length of the message's own header. */
  shows(fixed: number, type: number, value: Uint8Array): boolean {
    const view = this.#view
    const end = this.#start + this.length
    for (let at = this.#start + fixed; at + 4 <= end;) {
      const length = view.getUint16(at, true)
      if (length < 4 || at + length > end) return false
      if ((view.getUint16(at + 2, true) & NLA_TYPE_MASK) === type) {
        if (length - 4 !== value.length) return false
        for (let i = 0; i < value.length; i++) if (this.#bytes[at + 4 + i] !== value[i]) return false
        return true
      }
      at += (length + 3) & ~3
    }
    return false
  }

  /** Finds the attributes that follow a header of `fixed` bytes. */
  parse(fixed: number): Attributes {
    return this.attributes.parse(this.#bytes, this.#view, this.#start + fixed, this.#start + this.length)
  }
}
