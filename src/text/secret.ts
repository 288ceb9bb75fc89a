// A value that must not be printed: a pre-shared key, say. It cannot get into a log line, JSON or an error by accident.
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'

/** What stands for a secret wherever it is printed. */
export const HIDDEN = '(hidden)'

export class Secret {
  readonly #value: string
  /** Tells two secrets apart without showing them: values are compared by their fields (src/equal.ts). */
  readonly digest: string

  constructor(value: string) {
    this.#value = value
    this.digest = createHash('sha256').update(value).digest('hex')
  }

  /** The value, for the program or the kernel it is meant for. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
