// Conditions of this host: what an operator should see for as long as it holds.
// Invariants: one condition a code; only a `fault` changes the verdict; a condition costs no I/O and never throws.
import { printable } from '../text/plain-text.ts'

/** `note`: nothing to do. `warning`: something to look at, traffic flows. `fault`: the host is degraded. */
export type Level = 'note' | 'warning' | 'fault'

/** A condition as a part of the daemon states it. */
export interface ConditionText {
  readonly level: Level
  /** In a few words, for the first line of `flanneld status`. */
  readonly gist: string
  /** One sentence: what happened, to what, and what to do. */
  readonly text: string
  /** The command to run next; null where the text says what to do. */
  readonly run: string | null
}

/** A condition that holds. `code` is stable, in kebab-case; `since` is milliseconds since 1970. */
export interface Condition extends ConditionText {
  readonly code: string
  readonly since: number
}

/** Characters kept of a text: others may have written part of it. */
const MOST_GIST = 120
const MOST_TEXT = 1000

/** All levels, the worst first. */
export const LEVELS: readonly Level[] = ['fault', 'warning', 'note']

export class Conditions {
  readonly #held = new Map<string, Condition>()
  readonly #listeners: (() => void)[] = []

  /** Calls `listener` after each change of what holds. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** States a condition. True when it is new, or says something else than before: the time to log it. */
  set(code: string, given: ConditionText): boolean {
    const stated = { ...given, gist: printable(given.gist, MOST_GIST), text: printable(given.text, MOST_TEXT) }
    const before = this.#held.get(code)
    const same = before !== undefined && before.level === stated.level && before.text === stated.text
    // A condition that gets better or worse is still the one that began then.
    this.#held.set(code, { code, since: before?.since ?? Date.now(), ...stated })
    if (!same) this.#changed()
    return !same
  }

  /** Ends a condition. True when it held. */
  clear(code: string): boolean {
    const held = this.#held.delete(code)
    if (held) this.#changed()
    return held
  }

  /** Whether a condition holds. */
  has(code: string): boolean {
    return this.#held.has(code)
  }

  /** How many hold, by level. */
  get counts(): ReadonlyMap<Level, number> {
    const counts = new Map(LEVELS.map((level) => [level, 0]))
    for (const { level } of this.#held.values()) counts.set(level, (counts.get(level) ?? 0) + 1)
    return counts
  }

  /** All that hold, the worst first. */
  get all(): readonly Condition[] {
    return [...this.#held.values()].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level))
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
