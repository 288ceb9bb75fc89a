// When the passes of a kept thing run: in order, coalesced, slower while another process undoes them, retried, stopped.
import test, { type ExecutionContext } from 'ava'
import { type Clock, KeptLoop } from '../../src/firewall/kept-loop.ts'

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  #now = 0
  readonly #timers = new Map<symbol, { readonly at: number; readonly call: () => void }>()

  now(): number {
    return this.#now
  }

  after(milliseconds: number, call: () => void): () => void {
    const key = Symbol('timer')
    this.#timers.set(key, { at: this.#now + milliseconds, call })
    return () => this.#timers.delete(key)
  }

  /** Milliseconds until the next timer; undefined without one. */
  next(): number | undefined {
    const times = [...this.#timers.values()].map(({ at }) => at - this.#now)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async move(milliseconds: number): Promise<void> {
    this.#now += milliseconds
    for (const [key, { at, call }] of this.#timers) {
      if (at > this.#now) continue
      this.#timers.delete(key)
      call()
    }
    await quiet()
  }
}

/** Lets every promise that can settle do so. */
const quiet = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

/** A value in a kernel that anybody changes, and a loop that keeps it at what is wanted. */
class Bench {
  readonly clock = new HandClock()
  readonly said: string[] = []
  wanted = 0
  there = 0
  /** Why reading fails. */
  broken: string | undefined
  /** Holds a pass after its reading. */
  gate: Promise<void> = Promise.resolve()
  readonly loop = new KeptLoop(
    {
      pass: () => this.#pass(),
      succeeded: (recovered) => recovered && this.said.push('recovered'),
      failed: (error) => this.said.push(`failed: ${error instanceof Error ? error.message : String(error)}`),
      longestRetryMs: 3000,
    },
    this.clock,
  )

  async #pass(): Promise<number> {
    this.said.push(`read ${this.there}`)
    const { wanted, there } = this
    await this.gate
    if (this.broken !== undefined) throw new Error(this.broken)
    if (wanted === there) return 0
    this.there = wanted
    this.said.push(`wrote ${wanted}`)
    return 1
  }

  /** What was said since this was last asked. */
  take(): readonly string[] {
    return this.said.splice(0)
  }

  /** Another process writes; milliseconds until it is undone. */
  async undo(t: ExecutionContext): Promise<number> {
    this.there = -1
    this.loop.changed()
    const wait = this.clock.next() ?? Infinity
    await this.clock.move(wait)
    t.is(this.there, this.wanted)
    return wait
  }
}

/** A promise and what resolves it. */
function gate(): { readonly closed: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined
  const closed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { closed, open }
}

test('nothing runs until it is asked for; a pass reads, and writes only what differs', async (t) => {
  const on = new Bench()
  await quiet()
  t.deepEqual(on.take(), [])
  on.wanted = 1
  on.loop.kick()
  t.true(on.loop.busy)
  await on.loop.settled()
  t.deepEqual(on.take(), ['read 0', 'wrote 1'])
  on.loop.kick()
  await on.loop.settled()
  t.deepEqual(on.take(), ['read 1'])
  t.false(on.loop.busy)
  t.is(on.clock.next(), undefined, 'the steady state waits for nothing')
})

test('however often it is asked for during a pass, one more follows, with what is wanted by then', async (t) => {
  const on = new Bench()
  const { closed, open } = gate()
  on.gate = closed
  on.wanted = 1
  on.loop.kick()
  for (const wanted of [2, 3, 4]) {
    on.wanted = wanted
    on.loop.kick()
  }
  t.deepEqual(on.take(), ['read 0'])
  open()
  await on.loop.settled()
  t.deepEqual(on.take(), ['wrote 1', 'read 1', 'wrote 4'])
})

test('a burst of changes by others is one pass, after a moment', async (t) => {
  const on = new Bench()
  for (let i = 0; i < 5; i++) on.loop.changed()
  await on.clock.move(99)
  t.deepEqual(on.take(), [])
  await on.clock.move(1)
  t.deepEqual(on.take(), ['read 0'])
})

test('a pass that is asked for answers the changes before it as well', async (t) => {
  const on = new Bench()
  on.loop.changed()
  on.loop.kick()
  await on.loop.settled()
  await on.clock.move(1000)
  t.deepEqual(on.take(), ['read 0'])
})

test('a change during a pass makes one more', async (t) => {
  const on = new Bench()
  const { closed, open } = gate()
  on.gate = closed
  on.loop.kick()
  on.loop.changed()
  await on.clock.move(100)
  t.deepEqual(on.take(), ['read 0'])
  open()
  await on.loop.settled()
  t.deepEqual(on.take(), ['read 0'])
})

test('repeated outside changes are repaired ever more slowly, and at once again after they end', async (t) => {
  const on = new Bench()
  on.wanted = 1
  on.loop.kick()
  await on.loop.settled()
  const waits: number[] = []
  for (let i = 0; i < 9; i++) waits.push(Math.round(await on.undo(t)))
  t.deepEqual(waits, [100, 100, 150, 225, 338, 506, 759, 1000, 1000])
  await on.clock.move(5000)
  t.is(await on.undo(t), 1000, 'the first one after it is not known to be')
  await on.clock.move(5000)
  t.is(await on.undo(t), 100)
})

test('changes by others that need no repair are no contention', async (t) => {
  const on = new Bench()
  for (let i = 0; i < 5; i++) {
    on.loop.changed()
    t.is(on.clock.next(), 100)
    await on.clock.move(100)
  }
})

test('a failed pass is tried again, ever later, and its recovery is reported once', async (t) => {
  const on = new Bench()
  on.broken = 'no nft'
  on.wanted = 1
  on.loop.kick()
  await on.loop.settled()
  t.true(on.loop.failing)
  const waits: (number | undefined)[] = []
  for (let i = 0; i < 4; i++) {
    const wait = on.clock.next()
    waits.push(wait)
    on.loop.changed()
    t.is(on.clock.next(), wait, 'changes by others are no reason to hurry')
    await on.clock.move(wait ?? 0)
  }
  t.deepEqual(waits, [1000, 2000, 3000, 3000])
  on.broken = undefined
  on.take()
  await on.clock.move(3000)
  t.deepEqual(on.take(), ['read 0', 'wrote 1', 'recovered'])
  t.false(on.loop.failing)
  on.broken = 'no nft again'
  on.loop.kick()
  await on.loop.settled()
  t.is(on.clock.next(), 1000, 'the pauses begin again')
})

test('what is wanted during a failure is tried at once', async (t) => {
  const on = new Bench()
  on.broken = 'no nft'
  on.loop.kick()
  await on.loop.settled()
  on.broken = undefined
  on.wanted = 1
  on.loop.kick()
  await on.loop.settled()
  t.deepEqual(on.take(), ['read 0', 'failed: no nft', 'read 0', 'wrote 1', 'recovered'])
  t.is(on.clock.next(), undefined)
})

test('stopped during a pass, it ends with that pass, whatever was asked for meanwhile', async (t) => {
  for (const broken of [undefined, 'no nft']) {
    const on = new Bench()
    const { closed, open } = gate()
    on.gate = closed
    on.broken = broken
    on.wanted = 1
    on.loop.kick()
    on.loop.kick()
    let stopped = false
    const stopping = on.loop.stop().then(() => (stopped = true))
    await quiet()
    t.false(stopped)
    open()
    await stopping
    on.loop.kick()
    on.loop.changed()
    await on.clock.move(10_000)
    t.deepEqual(on.take(), ['read 0', broken === undefined ? 'wrote 1' : 'failed: no nft'])
    t.is(on.clock.next(), undefined)
  }
})

test('stopped while a pass is due, none comes', async (t) => {
  const on = new Bench()
  on.loop.changed()
  await on.loop.stop()
  await on.clock.move(10_000)
  t.deepEqual(on.take(), [])
})
