// Keeping a daemon small that has nothing to do: starting touches some 30 MB of Node's own file (compilers, snapshot,
// ICU) that steady running does not, and leaves as much again in the allocator. They are given back a moment after the
// start, after the first audits, which read the complete kernel state, and periodically.
import { setFlagsFromString } from 'node:v8'
import type { SupervisedPart } from '../health/supervise.ts'
import { addon } from '../netlink/addon.ts'

/** After the start, after the first audits, and between later times. Milliseconds. */
const FIRST_MS = [2_000, 22_000]
const EVERY_MS = 60_000
const LATE_MS = 20_000

/**
 * Makes V8 prefer size to speed from now on: with 30,000 leases 100 MB less. Not before all is loaded, since V8 takes a
 * code cache, that of Node's own modules too, only under the flags it was made with; nor while the first leases come in,
 * a fifth of whose cost it would add by collecting garbage at every megabyte that the heap grows.
 */
function preferSize(): void {
  setFlagsFromString('--optimize-for-size')
}

/** Gives back what is not needed, from when the daemon is `ready` until the signal aborts. */
export function staySmall(
  readiness: { onChange(listener: () => void): void },
  part: Pick<SupervisedPart, 'guard'>,
  signal: AbortSignal,
): void {
  const smaller = part.guard(preferSize)
  readiness.onChange(smaller)
  // A start that takes long, for want of etcd say, is to be small as well.
  const late = setTimeout(smaller, LATE_MS).unref()
  const release = part.guard(() => addon().releaseProgram())
  const first = FIRST_MS.map((after) => setTimeout(release, after).unref())
  const later = setInterval(release, EVERY_MS).unref()
  signal.addEventListener('abort', () => {
    for (const timer of first) clearTimeout(timer)
    clearTimeout(late)
    clearInterval(later)
  })
}
