// The one report of this host's health: what is examined, readiness and conditions, merged; and who is notified when it changes.
import test from 'ava'
import { Conditions } from '../../src/health/conditions.ts'
import { Readiness } from '../../src/health/readiness.ts'
import { createLog } from '../../src/log.ts'
import { Health } from '../../src/view/health.ts'
import type { Finding } from '../../src/view/verdict.ts'
import { statusWith } from '../fake/status.ts'

/** With no times in it that this machine's clock is held against. */
const WELL = statusWith({
  lease: { subnet: '10.2.21.0/24', reserved: true, renewed: null, expires: null },
  store: { ...statusWith().store, certificateEnds: null },
})

const log = createLog('main', 0, () => undefined)

const FORWARD: Finding = {
  code: 'ip-forward',
  level: 'fault',
  stops: true,
  same: undefined,
  gist: 'not forwarding',
  text: 'the kernel does not forward',
  run: 'flanneld doctor',
}

function world(): { readonly readiness: Readiness; readonly conditions: Conditions; readonly health: Health } {
  const readiness = new Readiness(['lease'], log)
  const conditions = new Conditions()
  return { readiness, conditions, health: new Health({ readiness, conditions, endpoints: ['http://10.0.0.1:2379'] }) }
}

test('before the first examination readiness alone decides', (t) => {
  const { readiness, conditions, health } = world()
  t.deepEqual([health.latest.verdict.word, health.latest.lines], ['broken', ['lease: not yet']])
  readiness.good('lease')
  t.deepEqual([health.latest.verdict.word, health.latest.lines], ['healthy', []])
  conditions.set('x', { level: 'fault', gist: 'x', text: 'x failed', run: null })
  t.is(health.latest.verdict.word, 'degraded')
})

test('a change of readiness or of a condition is in the report at once, with what was examined last', (t) => {
  const { readiness, conditions, health } = world()
  readiness.good('lease')
  health.examined({ status: WELL, docker: undefined, findings: [] })
  t.deepEqual([health.latest.verdict.word, health.latest.verdict.summary], ['healthy', '7 peers'])
  readiness.bad('lease', 'lease-lost', 'key deleted')
  t.deepEqual([health.latest.verdict.word, health.latest.lines], ['broken', ['lease: key deleted']])
  t.is(health.latest.status?.ready, false)
  readiness.good('lease')
  conditions.set('x', { level: 'warning', gist: 'x', text: 'x stands', run: null })
  t.deepEqual(
    [health.latest.verdict.word, health.latest.verdict.remarks.map(({ text }) => text)],
    ['healthy', ['x stands']],
  )
  t.is(health.latest.status?.conditions.length, 1)
})

test('findings make the verdict worse, but not while a lease is waited for', (t) => {
  const { readiness, health } = world()
  health.examined({ status: statusWith({ lease: null }), docker: undefined, findings: [FORWARD] })
  t.is(health.latest.verdict.summary, 'starting')
  readiness.good('lease')
  t.deepEqual([health.latest.verdict.word, health.latest.lines], ['broken', ['the kernel does not forward']])
  health.examined({ status: WELL, docker: 'docker0: old', findings: [] })
  t.deepEqual([health.latest.verdict.word, health.latest.lines], ['degraded', ['docker0: old']])
})

test('who asks has the host examined, where the last examination is too old', async (t) => {
  const { health } = world()
  let looks = 0
  health.examineBy(() => {
    looks++
    health.examined({ status: WELL, docker: undefined, findings: [] })
    return Promise.resolve()
  })
  await health.fresh(60_000)
  await health.fresh(60_000)
  t.is(looks, 1)
  await health.fresh(0)
  t.is(looks, 2)
})

test('listeners get the report and the one before', (t) => {
  const { readiness, health } = world()
  const words: string[] = []
  health.onChange((now, before) => words.push(`${before.verdict.word} ${now.verdict.word}`))
  readiness.good('lease')
  readiness.bad('lease', 'lease-lost', 'key deleted')
  t.deepEqual(words, ['broken healthy', 'healthy broken'])
})
