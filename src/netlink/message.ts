// Writing netlink messages (netlink(7)): nlmsghdr, a fixed header of the message's own, attributes.
// Invariant: everything is at multiples of four bytes; numbers are in the host's order, which is little-endian on
// every machine Node runs on. One growing buffer serves all messages of a connection: no allocation per message.
import { type Address, familyOf, toBytes } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import { NLA_F_NESTED, NLM_F_REQUEST } from './constants.ts'
import { type Parts, weigh } from './weigh.ts'

/** Bytes of nlmsghdr: length u32, type u16, flags u16, sequence u32, port u32. */
export const HEADER = 16

/** Writes one message: between begin and end, which the connection calls with the sequence number. */
export type Encode = (message: MessageWriter) => void

/** A buffer of messages to be sent together. */
export class MessageWriter {
  /** The port id that messages say they come from; 0 leaves it to the kernel. */
  port = 0
  /** Bytes written so far. */
  length = 0
  /** Backing store; replaced when it grows, so never keep it. */
  buffer = new Uint8Array(32 * 1024)
  #view = new DataView(this.buffer.buffer)
  #start = 0

  /** Forgets all messages. */
  clear(): void {
    this.length = 0
  }

  /** Writes one message by `encode`, which must begin with header(). `flags` are added to its own. */
  message(encode: Encode, sequence: number, flags: number): void {
    this.#start = this.length
    encode(this)
    this.#view.setUint32(this.#start, this.length - this.#start, true)
    this.#view.setUint16(this.#start + 6, this.#view.getUint16(this.#start + 6, true) | flags | NLM_F_REQUEST, true)
    this.#view.setUint32(this.#start + 8, sequence, true)
    this.#view.setUint32(this.#start + 12, this.port, true)
  }

  /** The nlmsghdr of a message (length and sequence come later), then `fixed` zero bytes of the message's own header. */
  header(type: number, flags: number, fixed: number): void {
    const at = this.#take(HEADER + fixed)
    this.#view.setUint16(at + 4, type, true)
    this.#view.setUint16(at + 6, flags, true)
  }

  /** The weight of the message being written: see weigh.ts. */
  weigh(parts: Parts): number {
    return weigh(this.#view, this.#start + HEADER, this.length, parts)
  }

  /** Sets a byte of the message's own header. */
  setU8(offset: number, value: number): void {
    this.#view.setUint8(this.#start + HEADER + offset, value)
  }

  setU16(offset: number, value: number): void {
    this.#view.setUint16(this.#start + HEADER + offset, value, true)
  }

  setU32(offset: number, value: number): void {
    this.#view.setUint32(this.#start + HEADER + offset, value, true)
  }

  /** Sets bytes of the message's own header. */
  setBytes(offset: number, value: Uint8Array): void {
    this.buffer.set(value, this.#start + HEADER + offset)
  }

  /** Bytes as they are. */
  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length)
    this.buffer.set(value, at)
  }

  u8(type: number, value: number): void {
    this.#view.setUint8(this.#attribute(type, 1), value)
  }

  u32(type: number, value: number): void {
    this.#view.setUint32(this.#attribute(type, 4), value, true)
  }

  /** A 16-bit number in the host's order. */
  u16(type: number, value: number): void {
    this.#view.setUint16(this.#attribute(type, 2), value, true)
  }

  /** A 16-bit number in network order (ports). */
  be16(type: number, value: number): void {
    this.#view.setUint16(this.#attribute(type, 2), value, false)
  }

  /** An attribute without a value: its presence says yes. */
  flag(type: number): void {
    this.#attribute(type, 0)
  }

  /** Text with the closing NUL. */
  text(type: number, value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    // The attribute first: where it does not fit, the buffer becomes another.
    const at = this.#attribute(type, bytes.length + 1)
    this.buffer.set(bytes, at)
  }

  address(type: number, value: Address): void {
    if (familyOf(value) === 6) {
      const at = this.#attribute(type, 16)
      this.buffer.set(toBytes(value), at)
      return
    }
    let at = this.#attribute(type, 4)
    let byte = 0
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code === 46 /* . */) {
        this.buffer[at++] = byte
        byte = 0
      } else byte = byte * 10 + code - 48
    }
    this.buffer[at] = byte
  }

  mac(type: number, value: Mac): void {
    const at = this.#attribute(type, 6)
    for (let i = 0; i < 6; i++) this.buffer[at + i] = Number.parseInt(value.slice(i * 3, i * 3 + 2), 16)
  }

  /** Attributes inside an attribute. `type` 0x8000 marks nesting, which strict kernels ask for. */
  nest(type: number, inside: () => void): void {
    const at = this.#take(4)
    inside()
    this.#view.setUint16(at, this.length - at, true)
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, true)
  }

  /** rtattr: length u16, type u16, value, padded to four. Where the value goes. */
  #attribute(type: number, size: number): number {
    const at = this.#take(4 + size)
    this.#view.setUint16(at, 4 + size, true)
    this.#view.setUint16(at + 2, type, true)
    return at + 4
  }

  /** Room for `size` bytes, zeroed and padded to four. */
  #take(size: number): number {
    const at = this.length
    this.length += (size + 3) & ~3
    if (this.length > this.buffer.length) this.#grow()
    this.buffer.fill(0, at, this.length)
    return at
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(this.length, this.buffer.length * 2))
    larger.set(this.buffer)
    this.buffer = larger
    this.#view = new DataView(larger.buffer)
  }
}
