// Lines that others can cause without limit: bounded for each subject and in all, and summed up.
import test from 'ava'
import fc from 'fast-check'
import { Events } from '../../src/health/events.ts'
import { LineBudget, type Withheld } from '../../src/text/line-budget.ts'
import { createLog } from '../../src/log.ts'
import { PeerEvents } from '../../src/daemon/peer-events.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { SaidOnce } from '../../src/lease/acquisition-lines.ts'
import { address, prefix, vxlanPeer } from '../fake/values.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const LIMITS = {
  each: { burst: 3, everyMs: 1_000 },
  all: { burst: 20, everyMs: 100 },
  subjects: 5,
  sumMs: 60_000,
}

test('whatever comes, no subject and not all together get more than burst and growth allow', (t) => {
  const happening = fc.record({ subject: fc.constantFrom('a', 'b', 'c', 'd'), after: fc.nat(300) })
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      let now = 0
      const budget = new LineBudget(
        LIMITS,
        () => undefined,
        () => now,
      )
      const told = new Map<string, number>()
      for (const { subject, after } of happenings) {
        now += after
        if (budget.allows(subject)) told.set(subject, (told.get(subject) ?? 0) + 1)
      }
      let sum = 0
      for (const count of told.values()) {
        sum += count
        t.true(count <= 3 + now / 1_000)
      }
      t.true(sum <= 20 + now / 100)
    }),
  )
})

test('one subject that floods leaves the others theirs', (t) => {
  const budget = new LineBudget(
    LIMITS,
    () => undefined,
    () => 0,
  )
  for (let n = 0; n < 10_000; n++) budget.allows('flood')
  t.deepEqual([budget.allows('other'), budget.allows('third'), budget.allows('flood')], [true, true, false])
})

test('withheld lines are summed up in one line, by subject', async (t) => {
  const sums: Withheld[] = []
  const budget = new LineBudget({ ...LIMITS, sumMs: 10 }, (withheld) => sums.push(withheld))
  for (let n = 0; n < 100; n++) for (const subject of ['a', 'b']) budget.allows(subject)
  await waitFor('the sum', () => sums.length === 1)
  t.is(sums[0]?.lines, 194)
  t.deepEqual(
    [...(sums[0]?.bySubject ?? [])],
    [
      ['a', 97],
      ['b', 97],
    ],
  )
})

test('subjects without end are forgotten again', (t) => {
  const budget = new LineBudget(
    LIMITS,
    () => undefined,
    () => 0,
  )
  let told = 0
  for (let n = 0; n < 100_000; n++) if (budget.allows(`${n}`)) told++
  t.is(told, 20)
  const said = new SaidOnce()
  t.deepEqual([said.isNew('a'), said.isNew('a')], [true, false])
  for (let n = 0; n < 10_000; n++) said.isNew(`${n}`)
  t.true(said.isNew('a'))
})

test('a place in the program that logs without end writes some lines, then a sum; other places are not withheld', async (t) => {
  const lines: string[] = []
  const limits = { ...LIMITS, all: { burst: 1_000, everyMs: 1 }, sumMs: 20 }
  const log = createLog('config', 0, (line) => lines.push(line), limits)
  for (let n = 0; n < 1_000; n++) log.part('config').warn(`network config changed: ${n}`)
  log.part('config').warn('another place')
  t.true(lines.length <= 5, `${lines.length}`)
  t.regex(lines.at(-1) ?? '', /another place/)
  await waitFor('the sum', () => lines.some((line) => line.includes('more lines of this kind, withheld')))
  t.regex(lines.at(-1) ?? '', /network config changed: 999 \(and 9\d\d more lines of this kind, withheld\)\n$/)
})

test('what is asked for with -v is never withheld', (t) => {
  const lines: string[] = []
  const log = createLog('kernel', 1, (line) => lines.push(line), LIMITS)
  for (let n = 0; n < 100; n++) log.debug(1, `${n}`)
  t.is(lines.length, 100)
})

const RULES = {
  family: 4 as const,
  network: prefix('10.2.0.0/16'),
  subnetLen: 24,
  own: undefined,
  hostId: 'us',
  onlink: [],
  publicAddress: address('192.168.0.1'),
  parseData: (type: string) => ({ ok: false, reason: 'backend-type', detail: type }) as const,
  needs: () => ({ ok: true, value: undefined }) as const,
  exclusive: () => undefined,
}
let revision = 0
const lease = (n: number, type: string) => ({
  key: `/n/subnets/10.2.${n}.0-24`,
  value: Buffer.from(JSON.stringify(type === '' ? 1 : { PublicIP: '192.168.0.9', BackendType: type })),
  createRevision: '1',
  modRevision: String(++revision),
  lease: '7',
})

test('a lease that is written again and again, for one reason and another, costs a few lines and events', (t) => {
  const lines: string[] = []
  const events = new Events()
  const news = new PeerEvents(
    createLog('peers', 0, (line) => lines.push(line)),
    events,
  )
  const table = new PeerTable('/n', RULES)
  for (let n = 0; n < 1_000; n++) {
    const type = n % 2 === 0 ? '' : `\\u202e${'x'.repeat(5_000)}${n}`
    news.say(table.change([{ type: 'put', entry: lease(3, type) }]), 'later')
  }
  t.true(lines.length <= 12, `${lines.length}`)
  t.true(events.recent.length <= 12)
  for (const line of lines) t.true(line.length < 600)
  // Another host's fault is still reported.
  news.say(table.change([{ type: 'put', entry: lease(4, '') }]), 'later')
  t.regex(lines.at(-1) ?? '', /10\.2\.4\.0-24: json/)
  t.regex(events.recent.at(-1)?.text ?? '', /10\.2\.4\.0-24: json/)
})

test('a peer that comes and goes, or changes, a thousand times costs a few lines and events', (t) => {
  const lines: string[] = []
  const events = new Events()
  const news = new PeerEvents(
    createLog('peers', 0, (line) => lines.push(line)),
    events,
  )
  const [one, other] = [vxlanPeer(3, 101), vxlanPeer(3, 102)]
  for (let n = 0; n < 1_000; n++) {
    const before = n % 2 === 0 ? one : other
    news.say({ changes: [{ subnet: one.subnet, before, after: before === one ? other : one }], refused: [] }, 'later')
  }
  t.true(lines.length <= 12, `${lines.length}`)
  const joined = vxlanPeer(4)
  news.say({ changes: [{ subnet: joined.subnet, before: undefined, after: joined }], refused: [] }, 'later')
  t.regex(lines.at(-1) ?? '', /joined/)
  t.regex(events.recent.at(-1)?.text ?? '', /joined/)
})

test('leases under ever new keys cost some lines, and then a sum', async (t) => {
  const lines: string[] = []
  const limits = { ...LIMITS, sumMs: 20 }
  const news = new PeerEvents(
    createLog('peers', 0, (line) => lines.push(line)),
    new Events(),
    limits,
  )
  for (let n = 0; n < 5_000; n++) {
    news.say({ changes: [], refused: [{ key: `/n/subnets/${n}`, reason: 'key', detail: '' }] }, 'later')
  }
  t.true(lines.length < 30, `${lines.length}`)
  await waitFor('the sum', () => lines.some((line) => /more changes of peers and refused leases/.test(line)))
})

test('events of one kind without end drive out none of another', (t) => {
  const events = new Events({ kept: 50, most: 1_000_000, ms: 1_000 })
  events.happened('lease', 'ours')
  events.happened('repair', 'route repaired')
  for (let n = 0; n < 10_000; n++) events.happened('peer', `${n}`)
  t.is(events.recent.length, 50)
  t.deepEqual(
    events.recent.slice(0, 3).map(({ text }) => text),
    ['ours', 'route repaired', '9952'],
  )
})
