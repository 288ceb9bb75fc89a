// Messages of VICI, the protocol by which strongSwan's charon is told what to do (its file src/libcharon/plugins/vici/README.md).
// Invariant: what was written reads back equal; whatever bytes come in, the result is a message or undefined, of bounded depth.

/** What a key stands for: a text, several, or a section. */
export type ViciValue = string | readonly string[] | ViciMessage

/** A message, or a section of one. */
export interface ViciMessage {
  readonly [key: string]: ViciValue
}

/** A message as read: keys are the other side's. */
export type ViciSection = ReadonlyMap<string, string | readonly string[] | ViciSection>

const SECTION_START = 1
const SECTION_END = 2
const KEY_VALUE = 3
const LIST_START = 4
const LIST_ITEM = 5
const LIST_END = 6

/** Sections in sections: charon's answers have four. */
const MOST_DEPTH = 16
const MOST_NAME = 0xff
const MOST_VALUE = 0xffff

/** The bytes of a message. Throws RangeError for a name of more than 255 bytes, or a value of more than 65,535. */
export function encodeMessage(message: ViciMessage): Buffer {
  const parts: Buffer[] = []
  encodeInto(parts, message)
  return Buffer.concat(parts)
}

function encodeInto(parts: Buffer[], message: ViciMessage): void {
  for (const [key, value] of Object.entries(message)) {
    if (typeof value === 'string') parts.push(byte(KEY_VALUE), named(key), sized(value))
    else if (isList(value)) {
      parts.push(byte(LIST_START), named(key))
      for (const item of value) parts.push(byte(LIST_ITEM), sized(item))
      parts.push(byte(LIST_END))
    } else {
      parts.push(byte(SECTION_START), named(key))
      encodeInto(parts, value)
      parts.push(byte(SECTION_END))
    }
  }
}

function isList(value: ViciValue): value is readonly string[] {
  return Array.isArray(value)
}

function byte(value: number): Buffer {
  return Buffer.of(value)
}

/** A name: its length in one byte, then itself. */
export function named(name: string): Buffer {
  const bytes = Buffer.from(name)
  if (bytes.length > MOST_NAME) throw new RangeError(`name of ${bytes.length} bytes, at most ${MOST_NAME}`)
  return Buffer.concat([byte(bytes.length), bytes])
}

/** A value: its length in two bytes, then itself. */
function sized(value: string): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.length > MOST_VALUE) throw new RangeError(`value of ${bytes.length} bytes, at most ${MOST_VALUE}`)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** The message of these bytes; undefined when they are none. Of keys that come twice the last one counts. */
export function decodeMessage(bytes: Uint8Array): ViciSection | undefined {
  try {
    return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).message()
  } catch (error) {
    if (error instanceof Broken) return undefined
    throw error
  }
}

/** Bytes are no message. */
class Broken extends Error {}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  message(): ViciSection {
    return this.#section(0)
  }

  #section(depth: number): ViciSection {
    if (depth > MOST_DEPTH) throw new Broken()
    const section = new Map<string, string | readonly string[] | ViciSection>()
    while (this.#at < this.#bytes.length) {
      const type = this.#take(1).readUInt8()
      if (type === SECTION_END && depth > 0) return section
      if (type !== KEY_VALUE && type !== LIST_START && type !== SECTION_START) throw new Broken()
      const key = this.#take(this.#take(1).readUInt8()).toString()
      if (type === KEY_VALUE) section.set(key, this.#value())
      else section.set(key, type === LIST_START ? this.#list() : this.#section(depth + 1))
    }
    if (depth > 0) throw new Broken()
    return section
  }

  #list(): readonly string[] {
    const items: string[] = []
    for (;;) {
      const type = this.#take(1).readUInt8()
      if (type === LIST_END) return items
      if (type !== LIST_ITEM) throw new Broken()
      items.push(this.#value())
    }
  }

  #value(): string {
    return this.#take(this.#take(2).readUInt16BE()).toString()
  }

  #take(size: number): Buffer {
    const end = this.#at + size
    if (end > this.#bytes.length) throw new Broken()
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }
}

/** The text of a key; empty when there is none. */
export function viciText(section: ViciSection | undefined, key: string): string {
  const value = section?.get(key)
  return typeof value === 'string' ? value : ''
}

/** The section of a key. */
export function sectionOf(section: ViciSection | undefined, key: string): ViciSection | undefined {
  const value = section?.get(key)
  return value instanceof Map ? value : undefined
}

/** The sections of a section, by their keys. */
export function sectionsOf(section: ViciSection | undefined): readonly (readonly [string, ViciSection])[] {
  return [...(section ?? [])].flatMap(([key, value]) =>
    value instanceof Map ? [[key, value as ViciSection] as const] : [],
  )
}
