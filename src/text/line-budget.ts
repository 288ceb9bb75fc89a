// How many lines may be said of something that others can make happen as often as they like. Each subject (a peer, a place in
// the program) has a budget of its own, so that one cannot use up another's; all together have one as well.
// Invariants: memory and lines are bounded whatever happens; what is withheld is counted, and reported in one sum.

/** `burst` at once, and one more after each `everyMs`. */
interface Allowance {
  readonly burst: number
  readonly everyMs: number
}

/** What a budget allows. */
export interface BudgetLimits {
  /** For one subject. */
  readonly each: Allowance
  /** For all together. */
  readonly all: Allowance
  /** Subjects that are kept apart at a time; of more, the one that was silent for longest is forgotten. */
  readonly subjects: number
  /** What is withheld is summed up after this many milliseconds. */
  readonly sumMs: number
}

/** What was withheld since the last sum: lines by subject; beyond the subjects kept apart only the lines are counted. */
export interface Withheld {
  readonly bySubject: ReadonlyMap<string, number>
  readonly lines: number
}

/** Tokens that grow back with time. */
class Bucket {
  #tokens: number
  #at: number
  readonly #allowance: Allowance

  constructor(allowance: Allowance, now: number) {
    this.#allowance = allowance
    this.#tokens = allowance.burst
    this.#at = now
  }

  /** Whether there is one at the moment. */
  has(now: number): boolean {
    const { burst, everyMs } = this.#allowance
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#at) / everyMs)
    this.#at = now
    return this.#tokens >= 1
  }

  take(): void {
    this.#tokens--
  }
}

export class LineBudget {
  readonly #limits: BudgetLimits
  readonly #sumUp: (withheld: Withheld) => void
  readonly #now: () => number
  readonly #all: Bucket
  readonly #each = new Map<string, Bucket>()
  #withheld = new Map<string, number>()
  #lines = 0

  /** `sumUp` is called some time after lines were withheld; `now` is performance.now. */
  constructor(limits: BudgetLimits, sumUp: (withheld: Withheld) => void, now = () => performance.now()) {
    this.#limits = limits
    this.#sumUp = sumUp
    this.#now = now
    this.#all = new Bucket(limits.all, now())
  }

  /** Whether a line on a subject may be said; one that may not is counted. */
  allows(subject: string): boolean {
    const now = this.#now()
    const own = this.#each.get(subject) ?? new Bucket(this.#limits.each, now)
    this.#each.delete(subject)
    this.#each.set(subject, own)
    const [silent] = this.#each.keys()
    if (this.#each.size > this.#limits.subjects && silent !== undefined) this.#each.delete(silent)
    if (own.has(now) && this.#all.has(now)) {
      own.take()
      this.#all.take()
      return true
    }
    this.#withhold(subject)
    return false
  }

  #withhold(subject: string): void {
    if (this.#lines++ === 0)
      setTimeout(() => {
        this.#tell()
      }, this.#limits.sumMs).unref()
    const before = this.#withheld.get(subject)
    if (before !== undefined || this.#withheld.size < this.#limits.subjects)
      this.#withheld.set(subject, (before ?? 0) + 1)
  }

  #tell(): void {
    const withheld = { bySubject: this.#withheld, lines: this.#lines }
    this.#withheld = new Map()
    this.#lines = 0
    this.#sumUp(withheld)
  }
}
