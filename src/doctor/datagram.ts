// A UDP datagram with its IP header and a checksum made here, for a raw socket that takes headers. Pure.
import { type Address, type Family, familyOf, toBytes } from '../ip/address.ts'
import { checksum } from '../probe/checksum.ts'

/** IP protocol and hop limit. */
const UDP = 17
const HOPS = 64

/** The packet; of IPv4 the kernel completes length, id and header checksum (raw(7)). */
export function datagram(source: Address, from: number, destination: Address, to: number, text: Buffer): Buffer {
  const udp = Buffer.alloc(8 + text.length)
  udp.writeUInt16BE(from, 0)
  udp.writeUInt16BE(to, 2)
  udp.writeUInt16BE(udp.length, 4)
  text.copy(udp, 8)
  const addresses = Buffer.concat([toBytes(source), toBytes(destination)])
  const rest = Buffer.alloc(8)
  // RFC 768 and RFC 8200, 8.1: the numbers are summed, so that their places make no difference.
  rest.writeUInt32BE(udp.length, 0)
  rest.writeUInt32BE(UDP, 4)
  udp.writeUInt16BE(checksum(Buffer.concat([addresses, rest, udp])) || 0xffff, 6)
  return Buffer.concat([HEADERS[familyOf(source)](addresses, udp.length), udp])
}

const HEADERS: Readonly<Record<Family, (addresses: Buffer, length: number) => Buffer>> = {
  4(addresses, length) {
    const ip = Buffer.alloc(12)
    ip.writeUInt8(0x45, 0)
    ip.writeUInt16BE(ip.length + addresses.length + length, 2)
    ip.writeUInt8(HOPS, 8)
    ip.writeUInt8(UDP, 9)
    return Buffer.concat([ip, addresses])
  },
  6(addresses, length) {
    const ip = Buffer.alloc(8)
    ip.writeUInt8(0x60, 0)
    ip.writeUInt16BE(length, 4)
    ip.writeUInt8(UDP, 6)
    ip.writeUInt8(HOPS, 7)
    return Buffer.concat([ip, addresses])
  },
}
