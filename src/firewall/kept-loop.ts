// The loop that keeps something in the kernel as it is wanted: when a pass runs, and when the next one does.
// Invariants: level-triggered; one pass at a time, and another one after a change during it. A pass runs only when it is
// asked for or the last one failed, so the steady state costs nothing. What a pass does is up to the user.

/** The source of time; tests have their own. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number
  /** Calls back once after `milliseconds`; the function returned cancels it. */
  after(milliseconds: number, call: () => void): () => void
}

/** The clock of this process. */
const PROCESS_CLOCK: Clock = {
  now: () => performance.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds)
    return () => {
      clearTimeout(timer)
    }
  },
}

/** What a loop runs, and where it reports outcomes. */
export interface KeptWork {
  /** Reads the present state and writes what differs. Resolves with the number of transactions written; rejects on failure. */
  pass(): Promise<number>
  /** A pass ended well; `recovered`: the one before had failed. */
  succeeded(recovered: boolean): void
  /** A pass failed and will be tried again. */
  failed(error: unknown): void
  /** The longest pause before a failed pass is tried again, in milliseconds. */
  readonly longestRetryMs: number
}

/** Changes by others come in bursts. */
const DEBOUNCE_MS = 100
/** A repair this soon after the last one means that another process undoes what we write: the next one waits longer. */
const CONTENTION = { withinMs: 5000, debounceMs: 1000, growth: 1.5 }
const FIRST_RETRY_MS = 1000

/** Runs the passes of one thing that is kept. Nothing runs until the first kick. */
export class KeptLoop {
  readonly #work: KeptWork
  readonly #clock: Clock
  #running: Promise<void> | undefined
  #asked = false
  #stopped = false
  #failing = false
  /** Whether the pass asked for answers a change by others. */
  #repairing = false
  #lastRepair = -Infinity
  #debounceMs = DEBOUNCE_MS
  #retryMs = FIRST_RETRY_MS
  #cancel: (() => void) | undefined

  constructor(work: KeptWork, clock: Clock = PROCESS_CLOCK) {
    this.#work = work
    this.#clock = clock
  }

  /** Whether a pass is under way. */
  get busy(): boolean {
    return this.#running !== undefined
  }

  /** Whether the last pass failed. */
  get failing(): boolean {
    return this.#failing
  }

  /** Asks for a pass, now or after the one under way. */
  kick(): void {
    if (this.#stopped) return
    this.#cancelTimer()
    this.#asked = true
    this.#running ??= this.#run()
  }

  /**
   * Others changed what is kept: asks for a pass soon, later and later while they continue. After a failed pass only the
   * retry counts: their writes do not hasten it.
   */
  changed(): void {
    if (this.#failing && !this.busy) return
    this.#repairing = true
    this.#kickIn(this.#debounceMs)
  }

  /** Resolves when no pass is under way or asked for now. Never rejects. */
  settled(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  /** Starts no further pass; resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer()
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#asked && !this.#stopped) {
      this.#asked = false
      const repairing = this.#repairing
      this.#repairing = false
      try {
        const written = await this.#work.pass()
        if (repairing && written > 0) this.#repaired()
        const recovered = this.#failing
        this.#failing = false
        this.#retryMs = FIRST_RETRY_MS
        this.#work.succeeded(recovered)
      } catch (error) {
        this.#failing = true
        this.#repairing ||= repairing
        this.#work.failed(error)
        this.#cancelTimer()
        this.#kickIn(this.#retryMs)
        this.#retryMs = Math.min(this.#retryMs * 2, this.#work.longestRetryMs)
      }
    }
    this.#running = undefined
  }

  #repaired(): void {
    const now = this.#clock.now()
    const contended = now - this.#lastRepair < CONTENTION.withinMs
    this.#debounceMs = contended ? Math.min(this.#debounceMs * CONTENTION.growth, CONTENTION.debounceMs) : DEBOUNCE_MS
    this.#lastRepair = now
  }

  #kickIn(milliseconds: number): void {
    if (this.#stopped) return
    this.#cancel ??= this.#clock.after(milliseconds, () => {
      this.#cancel = undefined
      this.kick()
    })
  }

  #cancelTimer(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
