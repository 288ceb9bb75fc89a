// Packets of VICI: a length of four bytes, a type of one, for some types a name, then a message.
// Invariant: whatever comes in, no more than MOST_BYTES of it are kept; after bytes that are no packet there are no further ones.
import { type ViciMessage, type ViciSection, decodeMessage, encodeMessage, named } from './message.ts'

/** Types of packets, as in strongSwan's vici README. */
export const REQUEST = 0
export const RESPONSE = 1
export const UNKNOWN_COMMAND = 2
export const REGISTER = 3
export const UNREGISTER = 4
export const REGISTERED = 5
export const UNKNOWN_EVENT = 6
export const EVENT = 7

/** charon's own limit (vici_socket.c: 512 KiB). */
const MOST_BYTES = 512 * 1024
const LENGTH = 4

/** A packet as received; `name` is empty for those without one. */
export interface ViciPacket {
  readonly type: number
  readonly name: string
  readonly message: ViciSection
}

/** The bytes of a request or registration. Throws RangeError for what is too long. */
export function encodePacket(type: number, name: string, message: ViciMessage = {}): Buffer {
  const body = Buffer.concat([Buffer.of(type), named(name), encodeMessage(message)])
  if (body.length > MOST_BYTES) throw new RangeError(`packet of ${body.length} bytes, at most ${MOST_BYTES}`)
  const length = Buffer.alloc(LENGTH)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** Cuts a stream of bytes into packets. */
export class PacketReader {
  #rest: Buffer = Buffer.alloc(0)
  #broken = false

  /** Whether bytes came that are no packet. */
  get broken(): boolean {
    return this.#broken
  }

  /** The packets that are complete with these bytes. */
  take(bytes: Uint8Array): readonly ViciPacket[] {
    if (this.#broken) return []
    this.#rest = Buffer.concat([this.#rest, bytes])
    const packets: ViciPacket[] = []
    while (this.#rest.length >= LENGTH) {
      const size = this.#rest.readUInt32BE()
      if (size === 0 || size > MOST_BYTES) return this.#break(packets)
      if (this.#rest.length < LENGTH + size) break
      const packet = decodePacket(this.#rest.subarray(LENGTH, LENGTH + size))
      if (packet === undefined) return this.#break(packets)
      packets.push(packet)
      this.#rest = this.#rest.subarray(LENGTH + size)
    }
    return packets
  }

  #break(packets: readonly ViciPacket[]): readonly ViciPacket[] {
    this.#broken = true
    this.#rest = Buffer.alloc(0)
    return packets
  }
}

function decodePacket(bytes: Buffer): ViciPacket | undefined {
  const type = bytes.readUInt8()
  const hasName = type === EVENT || type === REQUEST || type === REGISTER || type === UNREGISTER
  const nameEnd = hasName ? 2 + (bytes[1] ?? 0) : 1
  if (type > EVENT || (hasName && bytes.length < Math.max(2, nameEnd))) return undefined
  const message = decodeMessage(bytes.subarray(nameEnd))
  return message && { type, name: hasName ? bytes.toString('utf8', 2, nameEnd) : '', message }
}
