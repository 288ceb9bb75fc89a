// A verb of the program, run on a host to its end as an operator would.
import { BUNDLE } from './flanneld.ts'
import type { Place } from '../world/space.ts'

/** What came of it. */
export interface VerbEnd {
  readonly code: number | null
  readonly stdout: string
  /** Both streams. */
  readonly output: string
}

/** Runs `flanneld ...`. */
export async function runVerb(host: Place, args: string, program: string = BUNDLE): Promise<VerbEnd> {
  const running = await host.spawn(`${program} ${args}`)
  const { code } = await running.exit
  return { code, stdout: running.stdout(), output: running.output() }
}
