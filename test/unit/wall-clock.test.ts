import test from 'ava'
import { WallClock } from '../../src/process/wall-clock.ts'

/** A clock over a system's clock of whole milliseconds and a steady one. */
function clock(): { now(): number; wall: number; steady: number } {
  const times = { wall: 1_000_000, steady: 0 }
  const it = new WallClock(
    () => Math.floor(times.wall),
    () => times.steady,
    1_000_000,
  )
  return Object.assign(times, { now: () => it.now() })
}

test('within a millisecond the steady clock gives the microseconds', (t) => {
  const it = clock()
  it.wall = 1_000_000.25
  it.steady = 0.25
  t.is(it.now(), 1_000_000.25)
  it.wall = 1_000_007.5
  it.steady = 7.5
  t.is(it.now(), 1_000_007.5)
})

test("when the system's clock is set, ours follows, and is fine again from there on", (t) => {
  const it = clock()
  for (const wall of [5_000_000, 400_000]) {
    it.wall = wall
    const set = it.now()
    t.is(Math.floor(set), wall)
    it.wall += 0.5
    it.steady += 0.25
    t.true(Math.abs(it.now() - set - 0.25) < 0.001 || Math.floor(it.now()) === Math.floor(it.wall))
  }
})

test('it never differs from the system by a millisecond', (t) => {
  const it = clock()
  for (let i = 0; i < 5000; i++) {
    it.wall += Math.random() * 3
    it.steady += Math.random() * 3
    t.is(Math.floor(it.now()), Math.floor(it.wall))
  }
})
