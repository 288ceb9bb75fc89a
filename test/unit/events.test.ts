// Events: bounded however many there are, bursts summed up, and the log's lines among them.
import test from 'ava'
import { Events, type HappenedEvent } from '../../src/health/events.ts'
import { reporter } from '../../src/health/reporter.ts'
import { createLog } from '../../src/log.ts'
import { PeerEvents } from '../../src/daemon/peer-events.ts'
import { Lately } from '../../src/reconcile/lately.ts'
import { vxlanPeer } from '../fake/values.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const silent = createLog('main', 0, () => undefined)

test('events are numbered, kept in order, and sent to each follower until it leaves', (t) => {
  const events = new Events()
  events.happened('lease', 'ours')
  const heard: HappenedEvent[] = []
  const stop = new AbortController()
  events.follow((event) => heard.push(event), stop.signal)
  events.happened('peer', '10.2.9.0/24 joined', { peer: '10.2.9.0/24' })
  stop.abort()
  events.happened('ready', 'not\nready', { bad: true })
  t.deepEqual(
    events.recent.map(({ id, kind, bad, text }) => [id, kind, bad, text]),
    [
      [1, 'lease', false, 'ours'],
      [2, 'peer', false, '10.2.9.0/24 joined'],
      [3, 'ready', true, 'not ready'],
    ],
  )
  t.deepEqual(heard, [events.recent[1]])
  t.is(heard[0]?.peer, '10.2.9.0/24')
})

test('a burst of one kind is kept in part, and drives nothing else out', (t) => {
  const events = new Events()
  events.happened('lease', 'ours')
  for (let n = 0; n < 100_000; n++) events.happened('peer', `${n} joined`)
  events.happened('repair', 'route repaired')
  const kinds = events.recent.map(({ kind }) => kind)
  t.is(kinds.filter((kind) => kind === 'peer').length, 30)
  t.deepEqual([kinds[0], kinds.at(-1)], ['lease', 'repair'])
})

test('the rest of a burst is reported as a count when it ends', async (t) => {
  const events = new Events({ kept: 500, most: 2, ms: 20 })
  for (let n = 0; n < 10; n++) events.happened('repair', `${n}`, { bad: n === 9 })
  await waitFor('the sum', () => events.recent.length === 3)
  t.like(events.recent.at(-1), { kind: 'repair', bad: true, text: 'and 8 more of this kind' })
})

test('what is kept is bounded', (t) => {
  const events = new Events({ kept: 5, most: 100, ms: 1000 })
  for (let n = 0; n < 50; n++) events.happened('peer', `${n}`)
  t.deepEqual(
    events.recent.map(({ text }) => text),
    ['45', '46', '47', '48', '49'],
  )
})

test('what a part reports is an event, and a line that names the place it was reported from', (t) => {
  const events = new Events()
  const lines: string[] = []
  const log = createLog('main', 0, (line) => lines.push(line))
  const report = reporter('lease', log.part('lease'), events)
  report.warn('lease lost')
  const here = Number(/events\.test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1])
  report.info('lease is back')
  report.debug(0, 'a detail')
  t.deepEqual(
    events.recent.map(({ kind, bad, text }) => [kind, bad, text]),
    [
      ['lease', true, 'lease lost'],
      ['lease', false, 'lease is back'],
    ],
  )
  const places = lines.map((line) => /^(\w).* (\S+:\d+)\] (.*)\n$/.exec(line)?.slice(1))
  t.deepEqual(places, [
    ['W', `unit/events.test.ts:${here - 1}`, 'lease lost'],
    ['I', `unit/events.test.ts:${here + 1}`, 'lease is back'],
    ['I', `unit/events.test.ts:${here + 2}`, 'a detail'],
  ])
})

test('the peers of the start are one event; later ones are named, some of many', (t) => {
  const events = new Events()
  const news = new PeerEvents(silent, events)
  const joined = (n: number) => ({ subnet: vxlanPeer(n).subnet, before: undefined, after: vxlanPeer(n) })
  const many = { changes: Array.from({ length: 200 }, (_, n) => joined(n)), refused: [] }
  news.say(many, 'first')
  news.complete(200, 9n)
  t.deepEqual(
    events.recent.map(({ text }) => text),
    ['200 peers at the start'],
  )
  news.say(many, 'later')
  t.is(events.recent.length, 12)
  t.is(events.recent.at(-1)?.text, 'and 190 more peers changed')
  news.say({ changes: [], refused: [{ key: '/n/subnets/x', reason: 'key', detail: 'x' }] }, 'later')
  t.like(events.recent.at(-1), { bad: true, text: 'lease refused: /n/subnets/x: key: x' })
})

test('repairs are counted over a day', (t) => {
  const lately = new Lately()
  const hour = 3_600_000
  lately.noted(2, 0)
  lately.noted(3, 20 * hour)
  t.is(lately.count(23 * hour), 5)
  t.is(lately.count(25 * hour), 3)
  lately.noted(1, 100 * hour)
  t.is(lately.count(100 * hour), 1)
})
