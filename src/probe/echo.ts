// ICMP echo and the refusals it may meet, as values; icmp.ts makes packets of them and reads them.
import type { Address } from '../ip/address.ts'

/** What our echo requests carry, and so the answers to them: the mark by which daemons know each other's probes. */
export interface Mark {
  /** Random, from each process its own: answers with another one are not to our requests. 32 bits. */
  readonly token: number
  /** First address of the sender's subnet in the family of the packet; undefined when it has none. */
  readonly subnet: Address | undefined
  /** Whether the sender gets no answers from the receiver through the tunnel. */
  readonly silent: boolean
  /** Whether it was sent past the tunnel as a trial, and so says nothing of the tunnel. */
  readonly trial: boolean
  /** When the sender last heard the receiver through the tunnel, seconds ago; Infinity: never, undefined: it does not say. */
  readonly heard: number | undefined
}

/** An echo request to send. */
export interface EchoRequest {
  readonly source: Address
  /** Of the same family. */
  readonly destination: Address
  /** 16 bits each. */
  readonly id: number
  readonly sequence: number
  /** Length of the IP packet in bytes, at least SMALLEST of its family. */
  readonly length: number
  /** Whether routers must not fragment it; those of IPv6 never do. */
  readonly df: boolean
  readonly mark: Mark
}

/** What is read from the raw socket. */
export type IcmpMessage =
  | {
      readonly kind: 'request' | 'reply'
      readonly source: Address
      readonly id: number
      readonly sequence: number
      readonly mark: Mark
    }
  | {
      readonly kind: 'refused'
      /** Who says so: a router, the peer, or our own kernel. */
      readonly source: Address
      readonly why: 'unreachable' | 'too-big' | 'prohibited'
      /** For too-big, the bytes that fit; 0 when it does not say. */
      readonly mtu: number
      /** Of the echo request that was refused. */
      readonly destination: Address
      readonly id: number
      readonly sequence: number
    }

/** Of the largest packet we send: an IPv4 packet's length has 16 bits (RFC 791). */
export const LARGEST = 65_535
