// The Internet checksum (RFC 1071), for ICMP packets that are mostly zeros.

/** As many as the largest packet on an Ethernet with jumbo frames has. */
const ZEROS = Buffer.alloc(9216)
/** Behind so many bytes our packets are zeros: behind the ICMP header and the longest mark. */
const ZEROS_FROM = 36

/**
 * The checksum: 0 over something that holds a right one. `start` is the sum of words outside `bytes` that count as well. Zeros
 * add nothing: a comparison is quicker than a sum.
 */
export function checksum(bytes: Buffer, start = 0): number {
  const filling = bytes.subarray(ZEROS_FROM)
  const empty = filling.length <= ZEROS.length && filling.equals(ZEROS.subarray(0, filling.length))
  const end = empty ? bytes.length - filling.length : bytes.length
  return ~folded(start + sumOf(bytes, end)) & 0xffff
}

/** The sum of the 16-bit words up to `end`, an odd last byte being the first of a word. */
export function sumOf(bytes: Buffer, end = bytes.length): number {
  let sum = 0
  for (let at = 0; at + 1 < end; at += 2) sum += bytes.readUInt16BE(at)
  return end % 2 === 1 ? sum + (bytes.readUInt8(end - 1) << 8) : sum
}

function folded(sum: number): number {
  let left = sum
  while (left > 0xffff) left = (left & 0xffff) + (left >>> 16)
  return left
}
