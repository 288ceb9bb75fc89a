// Runs docs/quick-start.md: every command on its host, comparing its output with what the document shows.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'
import { stepsOf, runSteps } from '../lab/scenarios/walkthrough.ts'

test('docs/quick-start.md: every command does what it says', async (t) => {
  const steps = stepsOf(readFileSync(join(ROOT, 'docs/quick-start.md'), 'utf8'))
  t.true(steps.length > 12)
  await runSteps(t, steps)
})
