// Who a connection comes from, so that what is short is shared among askers and not among connections. Pure.
import { parseAddress } from '../ip/address.ts'
import { prefixOf } from '../ip/prefix.ts'

/** Length of the network that one IPv6 host can take addresses from as it likes (RFC 8981). */
const IPV6_NETWORK = 64

/** An asker by the address of a socket: an IPv4 address, an IPv6 network, '' for all of a Unix socket. */
export function askerOf(remoteAddress: string | undefined): string {
  const text = (remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*/, '')
  const address = parseAddress(text)
  return address?.includes(':') === true ? prefixOf(address, IPV6_NETWORK) : text
}

/** What each asker has, by asker, the one with most first; of equals the one that came first. */
export function byShare<T>(held: Iterable<readonly [asker: string, T]>): readonly (readonly [string, readonly T[]])[] {
  const shares = new Map<string, T[]>()
  for (const [asker, one] of held) {
    const share = shares.get(asker)
    if (share === undefined) shares.set(asker, [one])
    else share.push(one)
  }
  return [...shares].sort(([, a], [, b]) => b.length - a.length)
}
