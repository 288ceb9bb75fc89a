// Reading the body of a request as JSON. Invariant: a body is bounded, and so are all that are being read together.
import type { IncomingMessage } from 'node:http'
import { OperatorError, messageOf } from '../errors.ts'

/** The most bytes of one body, and of all bodies that are being read at a time. */
const BODY_BYTES = 1 << 20
const BODIES_BYTES = 8 << 20

/** Too much is asked for at a time: 503, the same may be asked again. */
export class Busy extends OperatorError {
  override readonly name = 'Busy'
}

/** Bytes of bodies that are being read. */
let held = 0

/** The body as JSON; undefined when there is none. Throws OperatorError, Busy among them. */
export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length
      held += part.length
      if (bytes > BODY_BYTES) throw new OperatorError(`request body: at most ${BODY_BYTES} bytes`)
      if (held > BODIES_BYTES) throw new Busy('request body: too many are being sent at a time: ask again')
      parts.push(part)
    }
    return jsonOf(Buffer.concat(parts).toString('utf8'))
  } finally {
    held -= bytes
  }
}

function jsonOf(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new OperatorError(`request body: ${messageOf(error)}`)
  }
}
