// Times as timers take them: whatever a computation gives, Node does not warn.
import test from 'ava'
import fc from 'fast-check'
import { pause, timerTime } from '../../src/async/wait.ts'
import { newStop } from '../../src/process/stop.ts'

test('any number is a time that a timer takes', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.double(), (milliseconds) => {
        const time = timerTime(milliseconds)
        return (
          time >= 0 && time < 2 ** 31 && (time === milliseconds || !(milliseconds >= 0 && milliseconds < 2 ** 31 - 1))
        )
      }),
    )
  })
})

test('a pause that is over already, a signal of many listeners: no warning', async (t) => {
  const warnings: string[] = []
  const hear = (warning: Error): void => void warnings.push(warning.name)
  process.on('warning', hear)
  const stop = newStop()
  for (const milliseconds of [-5, NaN, -Infinity]) await pause(milliseconds, stop.signal)
  const many = Array.from({ length: 50 }, () => pause(Infinity, stop.signal))
  // Warnings are emitted in the next tick.
  await new Promise((resolve) => setImmediate(resolve))
  stop.abort()
  await Promise.all(many)
  process.off('warning', hear)
  t.deepEqual(warnings, [])
})
