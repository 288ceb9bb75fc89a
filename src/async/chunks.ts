// Working off many things without keeping the event loop: after each portion it takes a turn.
import { setImmediate as turn } from 'node:timers/promises'

/** Leases in a chunk: they take some 5 ms to read. */
const PORTION = 250

/** Walks through `items` in portions. What must not change meanwhile is the caller's to see to. */
export async function* inPortions<T>(items: readonly T[]): AsyncGenerator<readonly T[], void> {
  for (let at = 0; at < items.length; at += PORTION) {
    yield items.slice(at, at + PORTION)
    await turn()
  }
}
