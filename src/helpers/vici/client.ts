// A conversation with charon over its VICI socket: requests one after another, events between them.
// Invariant: every request ends, by an answer, at the deadline or with the connection; what charon sends is bounded and checked; a
// message of ours is in no error, since it may hold a key.
import { type Socket, connect } from 'node:net'
import { printable } from '../../text/plain-text.ts'
import { type ViciMessage, type ViciSection, viciText } from './message.ts'
import {
  REGISTERED,
  EVENT,
  PacketReader,
  REGISTER,
  REQUEST,
  RESPONSE,
  UNKNOWN_COMMAND,
  UNKNOWN_EVENT,
  UNREGISTER,
  type ViciPacket,
  encodePacket,
} from './packet.ts'

/** charon works off a request in milliseconds, but lists no connection while it computes keys for it: on a busy host that takes seconds. */
const DEADLINE_MS = 30_000
/** Characters of charon's own words in an error. */
const MOST_DETAIL = 300

/** charon refused, did not answer, or is gone. */
export class ViciError extends Error {
  override readonly name = 'ViciError'
}

/** Receives an event's message. */
export type EventListener = (message: ViciSection) => void

/** Who waits for the next answer. */
interface Waiting {
  answer(packet: ViciPacket): void
  fail(error: ViciError): void
}

export class ViciClient {
  readonly #socket: Socket
  readonly #reader = new PacketReader()
  readonly #listeners = new Map<string, EventListener>()
  #waiting: Waiting | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #closed: ViciError | undefined
  /** Resolves when the connection is at its end. */
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end(new ViciError('charon: the connection was closed'))
        resolve()
      })
    })
  }

  /** Connects to the socket at `path`. Rejects with the system's error. */
  static open(path: string): Promise<ViciClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        // What there is to know of it, 'close' says.
        socket.on('error', () => undefined)
        resolve(new ViciClient(socket))
      })
    })
  }

  /** Sends a command; the answer's message. Rejects with ViciError, also when the answer says "success: no". */
  async request(command: string, message: ViciMessage = {}): Promise<ViciSection> {
    const { type, message: answer } = await this.#exchange(command, encodePacket(REQUEST, command, message))
    if (type !== RESPONSE) throw new ViciError(`charon: ${command}: not known to this version`)
    if (viciText(answer, 'success') === 'no')
      throw new ViciError(`charon: ${command}: ${printable(viciText(answer, 'errmsg'), MOST_DETAIL)}`)
    return answer
  }

  /** Sends a command whose results come as events of a name, which are gathered. Rejects with ViciError. */
  async list(command: string, event: string, message: ViciMessage = {}): Promise<readonly ViciSection[]> {
    const found: ViciSection[] = []
    await this.listen(event, (one) => found.push(one))
    try {
      await this.request(command, message)
    } finally {
      this.#listeners.delete(event)
      await this.#exchange(event, encodePacket(UNREGISTER, event)).catch(() => undefined)
    }
    return found
  }

  /** Calls `listener` for each event of a name from now on. Rejects with ViciError. */
  async listen(event: string, listener: EventListener): Promise<void> {
    this.#listeners.set(event, listener)
    const { type } = await this.#exchange(event, encodePacket(REGISTER, event))
    if (type !== REGISTERED) throw new ViciError(`charon: event ${event}: not known to this version`)
  }

  /** Ends the connection; charon goes on. */
  close(): void {
    this.#socket.destroy()
  }

  #exchange(what: string, bytes: Buffer): Promise<ViciPacket> {
    const result = this.#queue.then(() => this.#send(what, bytes))
    this.#queue = result.catch(() => undefined)
    return result
  }

  #send(what: string, bytes: Buffer): Promise<ViciPacket> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // A late answer would be taken for that to the next request.
        this.#end(new ViciError(`charon: ${what}: no answer within ${DEADLINE_MS} ms`))
        this.#socket.destroy()
      }, DEADLINE_MS)
      this.#waiting = {
        answer: (packet) => {
          clearTimeout(timer)
          resolve(packet)
        },
        fail: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.#socket.write(bytes)
    })
  }

  #take(bytes: Buffer): void {
    for (const packet of this.#reader.take(bytes)) {
      if (packet.type === EVENT) {
        this.#listeners.get(packet.name)?.(packet.message)
        continue
      }
      const waiting = this.#waiting
      this.#waiting = undefined
      if (ANSWERS.has(packet.type)) waiting?.answer(packet)
      else waiting?.fail(new ViciError(`charon: a packet of type ${packet.type}`))
    }
    if (!this.#reader.broken) return
    this.#end(new ViciError('charon: it sent something that is no message'))
    this.#socket.destroy()
  }

  #end(error: ViciError): void {
    this.#closed ??= error
    this.#waiting?.fail(error)
    this.#waiting = undefined
  }
}

const ANSWERS = new Set([RESPONSE, UNKNOWN_COMMAND, REGISTERED, UNKNOWN_EVENT])
