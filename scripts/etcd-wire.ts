// The part of the codecs of etcd's messages that is the same for all (protobuf.dev/programming-guides/encoding), as text.
// Invariant: a message that is cut or makes no sense ends in a RangeError; nothing is read past its end.

/**
 * What the codecs share: one buffer that is written, one that is read. Calls are synchronous and of a codec's own making, so
 * one of each will do. A number of 64 bits is text; it is put together of two halves, as most are small.
 */
export const WIRE = `
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
