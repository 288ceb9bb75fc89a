// Echo requests and their answers over a raw socket for each family: what was sent is known again when something comes back.
// Invariant: an answer counts when it comes from where the request went, with our id, sequence number and token.
import { randomInt } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { type Address, type Family, familyOf } from '../ip/address.ts'
import type { EchoRequest, IcmpMessage, Mark } from './echo.ts'
import { readMessage, writeRequest } from './icmp.ts'
import type { SupervisedPart } from '../health/supervise.ts'
import { type IcmpSocket, openIcmpSocket } from './socket.ts'
import type { PacketOutcome } from './tally.ts'

/** What is to be sent: the pinger adds what makes it ours. */
export type Question = Omit<EchoRequest, 'id' | 'sequence' | 'mark'> & { readonly mark: Omit<Mark, 'token'> }

/** A request of another daemon that came in. */
export interface HeardRequest {
  readonly source: Address
  readonly mark: Mark
}

/** A request under way. */
interface Waiting {
  readonly to: Address
  readonly sentAt: number
  readonly outcome: (outcome: PacketOutcome) => void
}

/** What a pinger reports by itself. */
export interface PingerEvents {
  readonly heard: (request: HeardRequest) => void
  readonly broken: (why: string) => void
  /** Puts its faults where they belong, where they would come up in the middle of the raw socket's package. */
  readonly guard?: SupervisedPart['guard']
}

export class Pinger {
  readonly #id = randomInt(1 << 16)
  readonly #token = randomInt(2 ** 32)
  readonly #events: PingerEvents
  readonly #guard: SupervisedPart['guard']
  readonly #waiting = new Map<number, Waiting>()
  readonly #sockets = new Map<Family, IcmpSocket>()
  #sequence = randomInt(1 << 16)
  #received = 0

  constructor(events: PingerEvents) {
    this.#events = events
    this.#guard = events.guard ?? ((callback) => callback)
  }

  /**
   * Opens the socket of a family, where it is not open. Rejects when the addon cannot be loaded, CAP_NET_RAW is missing, or the
   * kernel lacks the family.
   */
  async open(family: Family): Promise<void> {
    if (this.#sockets.has(family)) return
    const socket = await openIcmpSocket(family, this.#id, {
      message: this.#guard((packet: Buffer, source: Address) => {
        this.#message(packet, source)
      }),
      broken: this.#guard((why: string) => {
        this.#events.broken(why)
      }),
    })
    this.#sockets.set(family, socket)
  }

  isOpen(family: Family): boolean {
    return this.#sockets.has(family)
  }

  /**
   * Sends a request; `outcome` may be called more than once, an answer last. Returns what `forget` takes. `send` sends the packet
   * otherwise than by the raw socket, and returns why it could not.
   */
  ask(
    question: Question,
    outcome: (outcome: PacketOutcome) => void,
    send?: (packet: Buffer) => string | undefined,
  ): number {
    this.#sequence = (this.#sequence + 1) & 0xffff
    const sequence = this.#sequence
    const mark = { ...question.mark, token: this.#token }
    this.#waiting.set(sequence, { to: question.destination, sentAt: performance.now(), outcome })
    const packet = writeRequest({ ...question, mark, id: this.#id, sequence })
    if (send !== undefined) {
      const why = send(packet)
      if (why !== undefined) outcome({ kind: 'failed', error: why })
      return sequence
    }
    this.#sockets.get(familyOf(question.destination))?.send(
      packet,
      question.destination,
      this.#guard((why: string) => {
        outcome(failure(why))
      }),
    )
    return sequence
  }

  /** These answers are no longer waited for. */
  forget(sequences: Iterable<number>): void {
    for (const sequence of sequences) this.#waiting.delete(sequence)
  }

  /** Resolves when everything that has come in was read: the loop may have been busy when a deadline passed. */
  async drained(): Promise<void> {
    for (let before = -1; before !== this.#received;) {
      before = this.#received
      await turn()
      await turn()
    }
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  #message(packet: Buffer, source: Address): void {
    this.#received++
    const message = readMessage(packet, source)
    if (message === undefined) return
    if (message.kind !== 'request') {
      this.#answer(message)
      return
    }
    // Our own requests are seen too when they go to this very host.
    if (message.mark.token !== this.#token) this.#events.heard(message)
  }

  #answer(message: Exclude<IcmpMessage, { kind: 'request' }>): void {
    const waiting = this.#waiting.get(message.sequence)
    if (waiting === undefined || message.id !== this.#id) return
    if (message.kind === 'refused') {
      const { destination, why, mtu } = message
      if (destination !== waiting.to) return
      waiting.outcome(why === 'too-big' ? { kind: 'too-big', mtu } : { kind: 'refused', why })
      return
    }
    if (message.source !== waiting.to || message.mark.token !== this.#token) return
    this.#waiting.delete(message.sequence)
    waiting.outcome({ kind: 'answered', rttMs: performance.now() - waiting.sentAt })
  }
}

/** raw-socket reports errors by their text alone (strerror(3)). */
function failure(why: string): PacketOutcome {
  return why === 'Message too long' ? { kind: 'too-big', mtu: 0 } : { kind: 'failed', error: why }
}
