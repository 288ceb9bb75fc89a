// Checks whether checksums left to the hardware are correct on arrival: two like datagrams to a closed port of a peer, one as the
// kernel sends it, one with a sum made here, which no device touches. A peer that gets one says the port is closed.
import { type Socket, createSocket } from 'node:dgram'
import { messageOf } from '../errors.ts'
import { type Address, type Family, familyOf } from '../ip/address.ts'
import { mapFamilies, valuesOf } from '../ip/by-family.ts'
import { type Prefix, addressOf, prefixFamily } from '../ip/prefix.ts'
import { datagram } from './datagram.ts'
import { isAbout } from './target.ts'
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
  const asked = [...peers.keys()].filter((subnet) => tunnelled.has(subnet) && isAbout(target, subnet))
  try {
    const found = await Promise.all(
      valuesOf(mapFamilies(own.subnets, (subnet, family) => probeFamily(subnet, family, asked))),
    )
    return { value: new Map(found.flat()) }
  } catch (error) {
    return { unknown: `no probe can be sent: ${messageOf(error)}` }
  }
}

/** Probes some of the peers of one family. */
async function probeFamily(
  own: Prefix,
  family: Family,
  subnets: readonly Prefix[],
): Promise<readonly [Prefix, ChecksumProbe][]> {
  const asked = subnets.filter((subnet) => prefixFamily(subnet) === family).slice(0, PEERS)
  if (asked.length === 0) return []
  const socket = await openIcmpSocket(family, 0, { message: () => undefined, broken: () => undefined })
  try {
    return await Promise.all(
      asked.map(async (subnet): Promise<[Prefix, ChecksumProbe]> => [
        subnet,
        await probe(socket, addressOf(own), addressOf(subnet)),
      ]),
    )
  } finally {
    socket.close()
  }
}

async function probe(raw: IcmpSocket, source: Address, destination: Address): Promise<ChecksumProbe> {
  const [offloaded, ready] = await Promise.all([
    refusedBy(source, destination, (socket) => {
      socket.send(TEXT)
    }),
    refusedBy(source, destination, (socket) => {
      raw.send(datagram(source, socket.address().port, destination, PORT, TEXT), destination, () => undefined)
    }),
  ])
  return { offloaded, ready }
}

/** Whether the port was reported closed: the kernel passes that error to the socket the datagram seems to come from. */
function refusedBy(source: Address, destination: Address, send: (socket: Socket) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(`udp${familyOf(source)}`)
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
      // Called by a timer, where nobody would catch what it throws.
      try {
        send(socket)
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        end(false)
        return
      }
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
