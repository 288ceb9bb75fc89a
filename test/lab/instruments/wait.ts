// Waiting in tests: for a condition, with a deadline, never for a time.

/**
 * Milliseconds after which a condition that should soon hold is given up. This long because the kernel may still be taking
 * down the networks of the test before, one namespace at a time, and no device can change meanwhile.
 */
export const DEADLINE = 60_000

let slowness = 1

/** Says that this test runs on a machine so many times slower: every deadline is that much later. */
export function expectSlowness(times: number): void {
  slowness = times
}

/** A condition that takes longer than this, as one that starts a program of Node does, is polled half of the time only. */
const SLOW = 300

/**
 * Polls until `condition` gives something other than undefined or false, and returns that. What it throws counts as
 * "not yet" and is reported when the deadline (in milliseconds) passes.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadline: number = DEADLINE,
): Promise<T> {
  const most = deadline * slowness
  const end = performance.now() + most
  for (let pause = 2; ; pause = Math.min(pause * 2, 50)) {
    let last = ''
    const began = performance.now()
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`
    }
    if (performance.now() > end) throw new Error(`waited ${most} ms in vain for: ${what}${last}`)
    const took = performance.now() - began
    await new Promise((resolve) => setTimeout(resolve, took > SLOW ? took : pause))
  }
}

/** Milliseconds between two tries. */
const BETWEEN_TRIES = 500

/**
 * Repeats what has an effect (a damage, a program started) or asks a verb that may give up on a busy machine, until it gives
 * something other than undefined or false. waitFor() would hide how often that took: here it is logged, and more than `most` tries
 * fail, so that a product which only sometimes does its work does not pass.
 */
export async function tryUpTo<T>(
  most: number,
  what: string,
  attempt: () => Promise<T | undefined | false>,
  log: (line: string) => void,
): Promise<T> {
  let last = ''
  for (let tries = 1; tries <= most; tries++) {
    if (tries > 1) await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES))
    try {
      const value = await attempt()
      if (value !== undefined && value !== false) {
        if (tries > 1) log(`${what}: ${tries} tries`)
        return value
      }
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  throw new Error(`${what}: ${most} tries in vain${last}`)
}

/** Whether a signal is aborted by now. A call: the compiler takes the property for the same between two reads. */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted
}
