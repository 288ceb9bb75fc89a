// Keeping a daemon small that has nothing to do: starting touches some 30 MB of Node's own file (compilers, snapshot,
// ICU) that steady running does not, and leaves as much again in the allocator. They are given back a moment after the
// start, after the first audits, which read the whole kernel, and again now and then.
import { setFlagsFromString } from 'node:v8'
import { addon } from './netlink/addon.ts'

/** After the start, after the first audits, and between later times. Milliseconds. */
const FIRST_MS = [2_000, 22_000]
const EVERY_MS = 60_000

/**
 * Makes V8 prefer size to speed from now on: with 30,000 leases 100 MB less. To be called when all is loaded: V8 takes a
 * code cache, that of Node's own modules too, only under the flags it was made with.
 */
export function preferSize(): void {
  setFlagsFromString('--optimize-for-size')
}

/** Gives back what is not needed, until the signal aborts. Call it when the daemon is ready. */
export function staySmall(signal: AbortSignal): void {
  const release = (): void => void addon().releaseProgram()
  const first = FIRST_MS.map((after) => setTimeout(release, after).unref())
  const later = setInterval(release, EVERY_MS).unref()
  signal.addEventListener('abort', () => {
    for (const timer of first) clearTimeout(timer)
    clearInterval(later)
  })
}
