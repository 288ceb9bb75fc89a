// What a verb works with: the environment it reads and the streams it writes.
import type { Environment } from '../options/parse.ts'

/** What a verb works with. */
export interface Terminal {
  readonly env: Environment
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Whether `out` is a screen that can be redrawn. */
  readonly screen?: boolean
}
