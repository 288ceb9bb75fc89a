// Echo requests as values for tests of properties, and the kernel's reading of a socket filter.
import fc from 'fast-check'
import { type Address, type Family, fromBytes } from '../../src/ip/address.ts'
import { bitsOf } from '../../src/ip/prefix.ts'
import type { EchoRequest } from '../../src/probe/echo.ts'
import { SMALLEST } from '../../src/probe/icmp.ts'

/** Addresses of a family, but for that of all zeros. */
function addresses(family: Family): fc.Arbitrary<Address> {
  const length = bitsOf(family) / 8
  return fc
    .uint8Array({ minLength: length, maxLength: length })
    .filter((bytes) => bytes.some((byte) => byte > 0))
    .map(fromBytes)
}

/** Echo requests of a family. */
export function echoRequests(family: Family): fc.Arbitrary<EchoRequest> {
  const address = addresses(family)
  const word = fc.nat(0xffff)
  return fc.record({
    source: address,
    destination: address,
    id: word,
    sequence: word,
    length: fc.integer({ min: SMALLEST[family], max: 9000 }),
    df: fc.boolean(),
    mark: fc.record({
      token: fc.nat(0xffff_ffff),
      subnet: fc.option(address, { nil: undefined }),
      silent: fc.boolean(),
      trial: fc.boolean(),
      heard: fc.oneof(
        fc.constantFrom(undefined, Infinity),
        fc.nat(60_000).map((tenths) => tenths / 10),
      ),
    }),
  })
}

/** What the kernel does with a classic BPF program: the number it returns. */
export function runFilter(program: Uint8Array, packet: Buffer): number {
  const code = new DataView(program.buffer)
  let [a, x] = [0, 0]
  for (let at = 0; ; at++) {
    const k = code.getUint32(at * 8 + 4, true)
    const size = { 0x50: 1, 0x48: 2, 0x40: 4 }[code.getUint16(at * 8, true)]
    switch (code.getUint16(at * 8, true)) {
      case 0x06:
        return k
      case 0x01:
        x = k
        break
      case 0xb1:
        if (k >= packet.length) return 0
        x = (packet.readUInt8(k) & 15) * 4
        break
      case 0x15:
        at += code.getUint8(at * 8 + (a === k ? 2 : 3))
        break
      default:
        if (size === undefined) throw new Error('an instruction that is not there')
        if (x + k + size > packet.length) return 0
        a = packet.readUIntBE(x + k, size)
    }
  }
}
