import test from 'ava'
import fc from 'fast-check'
import { type Log, createLog } from '../../src/log.ts'

function capture(verbosity = 0): { log: Log; lines: string[] } {
  const lines: string[] = []
  return { log: createLog('lease', verbosity, (line) => lines.push(line)), lines }
}

const KLOG = /^[IWE](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6}) +(\d+) ([\w./-]+):(\d+)\] (.*)\n$/

test("a line has klog's form, with this process's id and the caller's line", (t) => {
  const { log, lines } = capture()
  const before = new Date()
  log.info('subnet 10.2.3.0/24 leased')
  const here = Number(/log\.test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1])
  const [, month, day, hour, , , , pid, file, line, text] = KLOG.exec(lines[0] ?? '') ?? []
  t.deepEqual([Number(pid), file, text], [process.pid, 'unit/log.test.ts', 'subnet 10.2.3.0/24 leased'])
  t.is(Number(line), here - 1)
  t.is(lines[0]?.slice(21, 30), ` ${String(process.pid).padStart(7)} `)
  const after = new Date()
  t.true([before, after].some((now) => now.getMonth() + 1 === Number(month) && now.getDate() === Number(day)))
  t.true([before, after].some((now) => now.getHours() === Number(hour)))
})

test('severity is the first letter', (t) => {
  const { log, lines } = capture()
  log.info('a')
  log.warn('b')
  log.error('c')
  t.deepEqual(
    lines.map((line) => line[0]),
    ['I', 'W', 'E'],
  )
})

test('debug lines are printed up to the verbosity, with the right line too', (t) => {
  const { log, lines } = capture(1)
  log.debug(2, 'unseen')
  log.debug(1, 'seen')
  const here = Number(/log\.test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1])
  t.is(lines.length, 1)
  t.deepEqual(KLOG.exec(lines[0] ?? '')?.slice(9), [String(here - 1), 'seen'])
})

test('a part writes to the same sink at the same verbosity', (t) => {
  const { log, lines } = capture(1)
  const part = log.part('kernel')
  part.debug(1, 'x')
  part.debug(2, 'y')
  part.warn('z')
  t.deepEqual(
    lines.map((line) => KLOG.exec(line)?.[10]),
    ['x', 'z'],
  )
})

test('microseconds are those of the clock', (t) => {
  const { log, lines } = capture()
  for (let i = 0; i < 20; i++) log.info('x')
  t.true(new Set(lines.map((line) => KLOG.exec(line)?.[6]?.slice(3))).size > 5)
})

test('whatever a peer wrote, one call is one line without control characters', (t) => {
  const { log, lines } = capture()
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('\n', '\r', '\u001b', '\u009b', '\0', 'a', ' ') })),
      (text) => {
        lines.length = 0
        log.warn(text)
        t.is(lines.length, 1)
        t.regex(lines[0] ?? '', /^[^\p{Cc}]*\n$/u)
      },
    ),
  )
})

test('the last line of the process is never withheld', (t) => {
  const lines: string[] = []
  const none = { burst: 1, everyMs: 1e9 }
  const limits = { each: none, all: none, subjects: 10, sumMs: 1e6 }
  const log = createLog('main', 0, (line) => lines.push(line), limits)
  for (const text of ['first', 'second', 'third']) log.error(text)
  log.fatal('etcd: no\nmore')
  const here = Number(/log\.test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1])
  t.is(lines.length, 2)
  t.deepEqual(KLOG.exec(lines.at(-1) ?? '')?.slice(8, 10), ['unit/log.test.ts', String(here - 1)])
  t.regex(lines.at(-1) ?? '', /^E.*etcd: no/)
})
