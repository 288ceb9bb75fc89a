// Messages to and from the forwarder; src/helpers/forwarder/control.h has their format. Pure.
// Numbers are in the order of the host, little-endian on both architectures we run on; addresses and ports in network order.
import type { ForwarderHelper, ForwarderPeer } from '../health/outside-kernel.ts'
import { numberOf } from '../ip/address.ts'
import { type Prefix, lengthOf } from '../ip/prefix.ts'
import type { StrangerRule } from './driver.ts'

/** The version of these messages: VERSION of control.h. */
export const VERSION = 1

/** What messages ask for. */
export const ASK = { hello: 1, move: 2, allPeers: 3, changedPeers: 4, guard: 5, counts: 6, end: 7 } as const

/** The number of a message. */
export type AskNumber = (typeof ASK)[keyof typeof ASK]

const HEAD = 8
const PEER = 20
const HELLO = 20

/** A message. */
export function message(ask: AskNumber, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD)
  head.writeUInt32LE(4 + body.length, 0)
  head.writeUInt32LE(ask, 4)
  return Buffer.concat([head, body])
}

/** An answer: what it answers, 0 or a negative errno, and its contents. */
export interface ForwarderAnswer {
  readonly ask: number
  readonly status: number
  readonly body: Buffer
}

/** Takes the first answer off what was received; undefined while it is not whole. */
export function takeAnswer(received: Buffer): { readonly answer: ForwarderAnswer; readonly rest: Buffer } | undefined {
  if (received.length < HEAD) return undefined
  const end = 4 + received.readUInt32LE(0)
  if (end < HEAD + 4)
    return { answer: { ask: 0, status: 0, body: received.subarray(0, 0) }, rest: received.subarray(end) }
  if (received.length < end) return undefined
  const body = received.subarray(HEAD + 4, end)
  const answer = { ask: received.readUInt32LE(4), status: received.readInt32LE(8), body }
  return { answer, rest: received.subarray(end) }
}

/** Where the forwarder is to receive. */
export function moveBody({ local, self, port }: ForwarderHelper): Buffer {
  const body = Buffer.alloc(12)
  body.writeUInt32BE(numberOf(local), 0)
  body.writeUInt32BE(numberOf(self), 4)
  body.writeUInt16BE(port, 8)
  return body
}

/** Peers; undefined takes one out. */
export function peersBody(peers: readonly (readonly [subnet: Prefix, peer: ForwarderPeer | undefined])[]): Buffer {
  const body = Buffer.alloc(peers.length * PEER)
  for (const [i, [subnet, peer]] of peers.entries()) {
    const at = i * PEER
    body.writeUInt32BE(numberOf(subnet), at)
    body.writeUInt32BE(peer === undefined ? 0 : numberOf(peer.address), at + 4)
    body.writeUInt32BE(peer?.source === undefined ? 0 : numberOf(peer.source), at + 8)
    body.writeUInt16BE(peer?.port ?? 0, at + 12)
    body.writeUInt8(lengthOf(subnet), at + 14)
    body.writeUInt8(peer === undefined ? 0 : 1, at + 15)
  }
  return body
}

/** Whose packets are taken: those of peers, or of everybody. */
export function guardBody({ dropped, but }: StrangerRule): Buffer {
  const guarded = Buffer.alloc(4)
  guarded.writeUInt32LE(dropped ? 1 : 0)
  const allowed = but.filter((prefix) => !prefix.includes(':') && lengthOf(prefix) > 0)
  // A port, or the table would not show them.
  const senders = allowed.map((prefix) => {
    const entry = peersBody([[prefix, undefined]])
    entry.writeUInt16BE(1, 12)
    entry.writeUInt8(1, 15)
    return entry
  })
  return Buffer.concat([guarded, ...senders])
}

/** What a running forwarder says of itself. */
export interface Hello {
  readonly version: number
  readonly pid: number
  readonly port: number
}

/** Reads the answer to hello. */
export function readHello(body: Buffer): Hello {
  if (body.length < HELLO) return { version: 0, pid: 0, port: 0 }
  return { version: body.readUInt32LE(0), pid: body.readUInt32LE(4), port: body.readUInt16BE(12) }
}

/** What is counted, in the order of Counts in forward.h. */
const COUNTS = [
  'sent',
  'sent bytes',
  'received',
  'received bytes',
  'no peer',
  'strangers',
  'expired',
  'malformed',
  'send errors',
  'write errors',
] as const

/** Reads the answer to counts: those that are not 0. */
export function readCounts(body: Buffer): Readonly<Record<string, number>> {
  const all = COUNTS.map(
    (name, i) => [name, body.length < (i + 1) * 8 ? 0 : Number(body.readBigUInt64LE(i * 8))] as const,
  )
  return Object.fromEntries(all.filter(([name, count]) => count > 0 || name === 'sent' || name === 'received'))
}
