// Lengths of time as people read them.
import test from 'ava'
import { span } from '../../src/text/duration.ts'

for (const [seconds, text] of [
  [-5, '0s'],
  [0, '0s'],
  [59.9, '59s'],
  [60, '1m'],
  [3599, '59m'],
  [3600, '1h'],
  [86_399, '23h 59m'],
  [86_400, '1d'],
  [3 * 86_400 + 4 * 3600 + 59, '3d 4h'],
] as const)
  test(`${seconds} s is ${text}`, (t) => t.is(span(seconds), text))
