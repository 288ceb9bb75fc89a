// A fault in an observing part: reported once, counted, shown, and without effect on other parts.
import test from 'ava'
import fc from 'fast-check'
import { Conditions } from '../../src/health/conditions.ts'
import { OperatorError } from '../../src/errors.ts'
import { Events } from '../../src/health/events.ts'
import type { Answer, Handler } from '../../src/http/serve-routes.ts'
import { createLog } from '../../src/log.ts'
import { observed } from '../../src/control/observed-routes.ts'
import { Live } from '../../src/page/live.ts'
import type { PageState } from '../../src/page/shape.ts'
import { Supervisor } from '../../src/health/supervise.ts'
import { waitFor } from '../lab/instruments/wait.ts'

function bench(calmMs?: number) {
  const lines: string[] = []
  const conditions = new Conditions()
  const supervisor = new Supervisor(
    conditions,
    createLog('test', 0, (line) => lines.push(line)),
    calmMs,
  )
  const faults = (part: string): number | undefined => supervisor.faults.counts.get(part)
  return { lines, conditions, supervisor, faults }
}

test('whatever a part throws or rejects with is counted, reported once, and a standing fault', async (t) => {
  const { lines, conditions, supervisor, faults } = bench()
  const part = supervisor.part('probe')
  const broken = part.guard((text: string) => {
    throw new TypeError(text)
  })
  t.notThrows(() => {
    broken('one')
  })
  t.notThrows(part.guard(() => Promise.reject(new RangeError('two'))))
  await waitFor('the rejection', () => faults('probe') === 2)
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /^E.*probe: TypeError: one .*restarts by itself\n$/)
  t.like(conditions.all, [{ code: 'part-failed-probe', level: 'fault', gist: 'probe failed' }])
  t.regex(conditions.all[0]?.text ?? '', /RangeError: two/)
  t.is(faults('page'), 0)
})

test('anything at all can be thrown', (t) => {
  const { conditions, supervisor } = bench()
  const part = supervisor.part('events')
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (thrown) => {
        part.failed(thrown)
      }),
    )
  })
  for (const thrown of [
    Object.create(null),
    { toString: 1 },
    new Proxy(
      {},
      {
        get: () => {
          throw new Error()
        },
      },
    ),
  ])
    t.notThrows(() => {
      part.failed(thrown)
    })
  t.is(conditions.all.length, 1)
})

test('a part that has been well for a while is well', async (t) => {
  const { lines, conditions, supervisor } = bench(20)
  supervisor.part('page').failed(new Error('once'))
  t.true(conditions.has('part-failed-page'))
  await waitFor('the end of it', () => !conditions.has('part-failed-page'))
  t.regex(lines.at(-1) ?? '', /^I.*page: no fault for/)
})

test('a part that fails starts again, until it ends by itself or is stopped', async (t) => {
  const { supervisor, faults } = bench()
  const stop = new AbortController()
  let runs = 0
  const work = async (): Promise<void> => {
    if (++runs < 3) throw new Error(`run ${runs}`)
  }
  await supervisor.part('probe').keep(work, stop.signal)
  t.deepEqual([runs, faults('probe')], [3, 2])
  const kept = supervisor.part('page').keep(() => Promise.reject(new Error('always')), stop.signal)
  await waitFor('a fault', () => faults('page') === 1)
  stop.abort()
  await kept
  t.pass()
})

test('an event reaches every follower that accepts it, although others fail, and never throws at its sender', (t) => {
  const { supervisor, faults } = bench()
  const events = new Events()
  events.onFault(supervisor.part('events').failed)
  const told: string[] = []
  const stop = new AbortController()
  events.follow(() => {
    throw new TypeError('a reader that is no more')
  }, stop.signal)
  events.follow(({ text }) => told.push(text), stop.signal)
  t.notThrows(() => {
    events.happened('lease', 'ours')
  })
  t.notThrows(() => {
    events.happened('lease', undefined as unknown as string)
  })
  events.happened('lease', 'still ours')
  t.deepEqual([told[0], told.at(-1)], ['ours', 'still ours'])
  t.true((faults('events') ?? 0) >= 2)
})

test('a page that fails once recovers', async (t) => {
  const { supervisor, faults } = bench()
  let looks = 0
  const state = (): PageState => ({ peers: [], events: [], at: looks }) as unknown as PageState
  const source = {
    settled: async () => state(),
    look() {
      if (++looks === 1) throw new TypeError('made by the test')
      return state()
    },
  }
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
  })
  await new Live(source, supervisor.part('page')).join(() => undefined, stop.signal)
  await waitFor('another look', () => looks > 1)
  t.is(faults('page'), 1)
})

test('a handler that fails is its part’s fault; one that refuses a request is not', async (t) => {
  const { supervisor, faults } = bench()
  const fails =
    (error: Error): Handler =>
    () => {
      throw error
    }
  const routes = observed(
    new Map<string, Handler>([
      ['GET /metrics', fails(new TypeError('made by the test'))],
      ['GET /v1/doctor', fails(new TypeError('made by the test'))],
      [
        'GET /v1/events',
        () => ({
          events: () => {
            throw new TypeError('made by the test')
          },
        }),
      ],
      ['PUT /v1/config', fails(new OperatorError('since: x: not an event'))],
      ['GET /', () => ({ status: 200, text: 'well' })],
    ]),
    supervisor,
  )
  const ask = async (route: string): Promise<Answer> => {
    const answer = await routes.get(route)?.({ query: new URLSearchParams(), body: undefined })
    return answer ?? { status: 404, text: '' }
  }
  for (const route of ['GET /metrics', 'GET /v1/doctor']) await t.throwsAsync(async () => ask(route))
  await t.throwsAsync(async () => ask('PUT /v1/config'), { instanceOf: OperatorError })
  const stream = await ask('GET /v1/events')
  if ('events' in stream)
    t.notThrows(() => {
      stream.events(() => undefined, new AbortController().signal)
    })
  else t.fail('no stream of events')
  t.deepEqual(await ask('GET /'), { status: 200, text: 'well' })
  t.deepEqual(
    ['metrics', 'doctor', 'events', 'control', 'page'].map((part) => faults(part)),
    [1, 1, 1, 0, 0],
  )
})
