// Makes JavaScript that codes one protobuf message type each, from protobufjs' reflection of a .proto: what proto-loader
// would put together at run time, made when the bundle is. What comes out is what proto-loader gives with `longs: String,
// enums: String, defaults: true, oneofs: true`, without a class or a Long for any message in between.
// Invariant: a type nobody has thought of fails the build, not a daemon.

/** What is used of protobufjs' Type. */
export interface MessageType {
  readonly fullName: string
  readonly fieldsArray: readonly Field[]
  readonly oneofsArray: readonly { readonly name: string; readonly fieldsArray: readonly Field[] }[]
}

/** What is used of protobufjs' Field. */
export interface Field {
  readonly name: string
  readonly id: number
  readonly type: string
  readonly repeated: boolean
  readonly map: boolean
  readonly partOf: { readonly name: string } | null
  readonly resolvedType: MessageType | Enum | null
}

/** What is used of protobufjs' Enum. */
export interface Enum {
  readonly fullName: string
  readonly values: Readonly<Record<string, number>>
}

/** How a type is written and read. `$` stands for the value; `wire` is its wire type, `none` what it is when absent. */
interface Coding {
  readonly wire: 0 | 2
  readonly write: string
  readonly read: string
  readonly none: string
}

const SCALARS: Readonly<Record<string, Coding>> = {
  bytes: { wire: 2, write: 'bytes($)', read: 'readBytes()', none: 'EMPTY' },
  string: { wire: 2, write: 'text($)', read: 'readText()', none: "''" },
  bool: { wire: 0, write: 'u32($ ? 1 : 0)', read: 'readBool()', none: 'false' },
  uint32: { wire: 0, write: 'u32($ >>> 0)', read: 'readU32()', none: '0' },
  int64: { wire: 0, write: 'i64($)', read: 'readI64()', none: "'0'" },
  uint64: { wire: 0, write: 'i64($)', read: 'readU64()', none: "'0'" },
}

/** The name of a type in the text: `etcdserverpb_RangeRequest`. */
export function nameOf({ fullName }: { readonly fullName: string }): string {
  return fullName.replace(/^\./, '').replaceAll('.', '_')
}

/** Text that declares `encode_NAME(message)` and `decode_NAME(end)`; RUNTIME stands before it. */
export function codecOf(type: MessageType): string {
  return `${encoder(type)}${decoder(type)}`
}

/** Text that declares the names and numbers of an enumeration, as codecs use them. */
export function enumOf(one: Enum): string {
  const byNumber = Object.fromEntries(Object.entries(one.values).map(([name, number]) => [number, name]))
  return `const ${nameOf(one)} = ${JSON.stringify(one.values)}, ${nameOf(one)}_names = ${JSON.stringify(byNumber)}\n`
}

function codingOf(field: Field): Coding {
  const { type, resolvedType, map } = field
  const scalar = SCALARS[type]
  if (map || (scalar === undefined && resolvedType === null)) throw new Error(`etcd-codec: ${field.name}: ${type}`)
  if (scalar !== undefined) return scalar
  if (resolvedType === null) throw new Error(`etcd-codec: ${field.name}: ${type}`)
  const name = nameOf(resolvedType)
  if (!('values' in resolvedType))
    return { wire: 2, write: `nested(encode_${name}, $)`, read: `readNested(decode_${name})`, none: 'null' }
  const first = Object.keys(resolvedType.values)[0] ?? ''
  return { wire: 0, write: `u32(number(${name}, $))`, read: `word(${name}_names)`, none: `'${first}'` }
}

function encoder(type: MessageType): string {
  const fields = type.fieldsArray
    .toSorted((a, b) => a.id - b.id)
    .map((field) => {
      const { wire, write } = codingOf(field)
      const value = `m.${field.name}`
      const one = (it: string): string => `u32(${(field.id << 3) | wire}); ${write.replaceAll('$', it)}`
      if (!field.repeated) return `  if (${value} != null) { ${one(value)} }\n`
      if (wire === 2) return `  for (const it of ${value} ?? []) { ${one('it')} }\n`
      // Numbers are packed (proto3).
      const all = `() => { for (const it of ${value}) ${write.replaceAll('$', 'it')} }`
      return `  if (${value}?.length) { u32(${(field.id << 3) | 2}); nested(${all}) }\n`
    })
  return `function encode_${nameOf(type)}(m) {\n${fields.join('')}}\n`
}

function decoder(type: MessageType): string {
  const alone = type.fieldsArray.filter(({ partOf }) => partOf === null)
  const empty = alone.map((field) => `${field.name}: ${field.repeated ? '[]' : codingOf(field).none}`)
  const cases = type.fieldsArray.map((field) => {
    const { wire, read } = codingOf(field)
    const { id, name, partOf } = field
    if (field.repeated) {
      const one = `      case ${(id << 3) | wire}: m.${name}.push(${read}); break\n`
      if (wire === 2) return one
      return `${one}      case ${(id << 3) | 2}: for (const to = readEnd(); at < to;) m.${name}.push(${read}); break\n`
    }
    return `      case ${(id << 3) | wire}: m.${name} = ${read};${partOf === null ? '' : ` m.${partOf.name} = '${name}';`} break\n`
  })
  return `function decode_${nameOf(type)}(end) {
  const m = { ${empty.join(', ')} }
  while (at < end) {
    const tag = readU32()
    switch (tag) {
${cases.join('')}      default: skip(tag)
    }
  }
  return m
}
`
}

/**
 * What the codecs share: one buffer that is written, one that is read. Calls are synchronous and of a codec's own making, so
 * one of each will do. A number of 64 bits is text; it is put together of two halves, as most are small.
 */
export const RUNTIME = `
const EMPTY = Buffer.alloc(0)
let out = Buffer.allocUnsafeSlow(4096)
let length = 0
const room = (size) => {
  if (length + size <= out.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(length + size, out.length * 2))
  out.copy(larger, 0, 0, length)
  out = larger
}
const u32 = (n) => {
  room(5)
  for (; n > 127; n >>>= 7) out[length++] = (n & 127) | 128
  out[length++] = n
}
const i64 = (value) => {
  let n = BigInt.asUintN(64, BigInt(value))
  room(10)
  for (; n > 127n; n >>= 7n) out[length++] = Number(n & 127n) | 128
  out[length++] = Number(n)
}
const bytes = (value) => {
  const given = typeof value === 'string' ? Buffer.from(value, 'base64') : value
  u32(given.length)
  room(given.length)
  out.set(given, length)
  length += given.length
}
const text = (value) => bytes(Buffer.from(String(value)))
const number = (names, value) => (typeof value === 'string' ? names[value] ?? 0 : value)
const nested = (encode, value) => {
  const from = length
  encode(value)
  const size = length - from
  // The size comes first, in as many bytes as it takes.
  const head = size < 1 << 7 ? 1 : size < 1 << 14 ? 2 : size < 1 << 21 ? 3 : size < 1 << 28 ? 4 : 5
  room(head)
  out.copyWithin(from + head, from, length)
  length = from
  u32(size)
  length = from + head + size
}
const encodeBy = (encode) => (value) => {
  length = 0
  encode(value)
  return Buffer.from(out.subarray(0, length))
}
let input = EMPTY
let at = 0
let low = 0
let high = 0
const readVarint = () => {
  low = high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= input.length) throw new RangeError('message ends too early')
    const byte = input[at++]
    if (shift < 28) low |= (byte & 127) << shift
    else if (shift === 28) {
      low |= (byte & 127) << 28
      high = (byte & 127) >>> 4
    } else if (shift < 64) high |= (byte & 127) << (shift - 32)
    if (byte < 128) return
  }
  throw new RangeError('number of more than 64 bits')
}
const readU32 = () => {
  if (at < input.length && input[at] < 128) return input[at++]
  readVarint()
  return low >>> 0
}
const readBool = () => {
  readVarint()
  return (low | high) !== 0
}
const readU64 = () => {
  readVarint()
  const [lower, upper] = [low >>> 0, high >>> 0]
  if (upper < 0x200000) return String(upper * 0x100000000 + lower)
  return String((BigInt(upper) << 32n) | BigInt(lower))
}
const readI64 = () => {
  readVarint()
  const lower = low >>> 0
  if (high >= -0x200000 && high < 0x200000) return String(high * 0x100000000 + lower)
  return String((BigInt(high) << 32n) | BigInt(lower))
}
const readEnd = () => {
  const size = readU32()
  if (size > input.length - at) throw new RangeError('message ends too early')
  return at + size
}
const readBytes = () => {
  const end = readEnd()
  const value = input.subarray(at, end)
  at = end
  return value
}
const readText = () => {
  const end = readEnd()
  const value = input.utf8Slice(at, end)
  at = end
  return value
}
const readNested = (decode) => {
  const end = readEnd()
  const value = decode(end)
  if (at !== end) throw new RangeError('message ends too early')
  return value
}
const word = (names) => {
  const n = readU32()
  return names[n] ?? n
}
const skip = (tag) => {
  const wire = tag & 7
  if (wire === 0) readVarint()
  else if (wire === 1) at += 8
  else if (wire === 2) at = readEnd()
  else if (wire === 5) at += 4
  else throw new RangeError('invalid wire type ' + wire)
  if (at > input.length) throw new RangeError('message ends too early')
}
const decodeBy = (decode) => (message) => {
  input = message
  at = 0
  try {
    return decode(message.length)
  } finally {
    input = EMPTY
  }
}
`
