// Checks whether checksums left to the hardware are correct on arrival: two like datagrams to a closed port of a peer, one as the
// kernel sends it, one with a sum made here, which no device touches. A peer that gets one says the port is closed.
import { type Socket, createSocket } from 'node:dgram'
import { messageOf } from '../errors.ts'
import { type Address, numberOf } from '../ip/address.ts'
import { type Prefix, addressOf } from '../ip/prefix.ts'
import { type IcmpSocket, openIcmpSocket } from '../probe/socket.ts'
import type { Known } from './known.ts'
import type { ChecksumProbe, Facts, NamedPeer } from './facts.ts'
import type { ExpectedPlan } from './expected-state.ts'

/** The most peers that are asked: the cause is in this host or its network rather than in a peer. */
const PEERS = 8
/** Sent three times, this far apart; answers are waited for as long again. Milliseconds. */
const TRIES = 3
const PAUSE_MS = 250
/** Ports on which nothing listens: those of traceroute. */
const PORT = 33_434
const TEXT = Buffer.from('flanneld doctor')

/** Probes peers that are reached through the tunnel, or the one in question. Never rejects. */
export async function probeChecksums(
  plan: Known<ExpectedPlan>,
  target: NamedPeer | undefined,
): Promise<Facts['probes']['checksums']> {
  if ('unknown' in plan) return plan
  const { own, peers, wanted } = plan.value
  if (own === undefined) return { unknown: 'this host has no lease' }
  const tunnelled = new Set(wanted.flatMap(({ object, peer }) => (object.kind === 'fdb' ? [peer] : [])))
  const asked = [...peers.keys()].filter(
    (subnet) => tunnelled.has(subnet) && (target === undefined || target.subnet === subnet),
  )
  let raw: IcmpSocket | undefined
  try {
    raw = await openIcmpSocket(4, 0, { message: () => undefined, broken: () => undefined })
    const socket = raw
    const source = addressOf(own.subnet)
    const found = await Promise.all(
      asked
        .slice(0, PEERS)
        .map(async (subnet): Promise<[Prefix, ChecksumProbe]> => [
          subnet,
          await probe(socket, source, addressOf(subnet)),
        ]),
    )
    return { value: new Map(found) }
  } catch (error) {
    return { unknown: `no probe can be sent: ${messageOf(error)}` }
  } finally {
    raw?.close()
  }
}

async function probe(raw: IcmpSocket, source: Address, destination: Address): Promise<ChecksumProbe> {
  const [offloaded, ready] = await Promise.all([
    refusedBy(source, destination, (socket) => {
      socket.send(TEXT)
    }),
    refusedBy(source, destination, (socket) => {
      raw.send(datagram(source, socket.address().port, destination), destination, () => undefined)
    }),
  ])
  return { offloaded, ready }
}

/** Whether the port was reported closed: the kernel passes that error to the socket the datagram seems to come from. */
function refusedBy(source: Address, destination: Address, send: (socket: Socket) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    let left = TRIES
    let timer: NodeJS.Timeout | undefined
    let ended = false
    const end = (refused: boolean): void => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      socket.close()
      resolve(refused)
    }
    const again = (): void => {
      if (left-- === 0) {
        end(false)
        return
      }
      send(socket)
      timer = setTimeout(again, PAUSE_MS)
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(error.code === 'ECONNREFUSED')
    })
    // Where no route leads there connecting fails, and the callback gets the error.
    const connected = (error?: Error): void => {
      if (error === undefined) again()
      else end(false)
    }
    socket.bind(0, source, () => {
      socket.connect(PORT, destination, connected)
    })
  })
}

/** A UDP datagram with its IPv4 header, which the kernel completes; the sum is ours (RFC 768). */
function datagram(source: Address, port: number, destination: Address): Buffer {
  const udp = Buffer.alloc(8 + TEXT.length)
  udp.writeUInt16BE(port, 0)
  udp.writeUInt16BE(PORT, 2)
  udp.writeUInt16BE(udp.length, 4)
  TEXT.copy(udp, 8)
  const pseudo = Buffer.alloc(12)
  pseudo.writeUInt32BE(numberOf(source), 0)
  pseudo.writeUInt32BE(numberOf(destination), 4)
  pseudo.writeUInt8(17, 9)
  pseudo.writeUInt16BE(udp.length, 10)
  udp.writeUInt16BE(sumOf(Buffer.concat([pseudo, udp])) || 0xffff, 6)
  const ip = Buffer.alloc(20)
  ip.writeUInt8(0x45, 0)
  ip.writeUInt16BE(ip.length + udp.length, 2)
  ip.writeUInt8(64, 8)
  ip.writeUInt8(17, 9)
  ip.writeUInt32BE(numberOf(source), 12)
  ip.writeUInt32BE(numberOf(destination), 16)
  return Buffer.concat([ip, udp])
}

/** The Internet checksum (RFC 1071). */
function sumOf(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes.readUInt8(at) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
