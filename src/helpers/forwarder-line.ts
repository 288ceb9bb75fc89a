// The line to a forwarder: what is asked is answered in order, until one side ends.
// Invariants: only a forwarder of root's or of our own user is spoken to: any user may take an abstract name; nothing blocks; an answer
// that does not come in time ends the line.
import { Socket } from 'node:net'
import { OperatorError } from '../errors.ts'
import { addon } from '../netlink/addon.ts'
import { SOL_SOCKET, SO_PEERCRED } from '../netlink/constants.ts'
import { ERRNO, orThrow } from '../netlink/errno.ts'
import { type ForwarderAnswer, type AskNumber, message, takeAnswer } from './forwarder-messages.ts'

/** The longest wait for an answer. Milliseconds. */
const LIMIT_MS = 2000

interface Waiting {
  readonly resolve: (answer: ForwarderAnswer) => void
  readonly reject: (error: Error) => void
}

export class ForwarderLine {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #received = Buffer.alloc(0)
  #limit: NodeJS.Timeout | undefined
  #ended = false
  readonly #onEnd: (() => void)[] = []

  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: true })
    this.#socket.on('error', () => undefined)
    this.#socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
    })
    this.#socket.on('close', () => {
      this.close()
    })
  }

  /** Calls `listener` when the line has ended, whoever ended it. */
  onEnd(listener: () => void): void {
    if (this.#ended) listener()
    else this.#onEnd.push(listener)
  }

  /** Asks, and resolves to the answer's contents. Rejects when it is a refusal or none comes. */
  async ask(ask: AskNumber, body?: Buffer): Promise<Buffer> {
    const answer = await new Promise<ForwarderAnswer>((resolve, reject) => {
      if (this.#ended) {
        reject(new Error('the forwarder has ended'))
        return
      }
      this.#waiting.push({ resolve, reject })
      this.#socket.write(message(ask, body))
      this.#limit ??= setTimeout(() => {
        this.close('the forwarder does not answer')
      }, LIMIT_MS)
    })
    orThrow('forwarder', answer.status)
    return answer.body
  }

  close(why = 'the forwarder has ended'): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#limit)
    this.#socket.destroy()
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(why))
    for (const listener of this.#onEnd.splice(0)) listener()
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes])
    for (let next = takeAnswer(this.#received); next !== undefined; next = takeAnswer(this.#received)) {
      this.#received = Buffer.from(next.rest)
      clearTimeout(this.#limit)
      this.#limit = undefined
      this.#waiting.shift()?.resolve(next.answer)
    }
  }
}

/** The line to the forwarder of a name; undefined when there is none. Throws OperatorError where another user has its name. */
export function callForwarder(name: string): ForwarderLine | undefined {
  const fd = addon().connectUnix(`@${name}`)
  if (fd === -ERRNO.ECONNREFUSED) return undefined
  orThrow('forwarder', fd)
  const credentials = new Uint8Array(12)
  const length = addon().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials)
  const uid = new DataView(credentials.buffer).getUint32(4, true)
  if (length === credentials.length && (uid === 0 || uid === process.getuid?.())) return new ForwarderLine(fd)
  addon().close(fd)
  throw new OperatorError(`socket @${name}: user ${uid} has it: end that process`)
}
