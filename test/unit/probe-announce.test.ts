// What is reported of the probes: each change once; what is remembered of others' probes is bounded.
import test from 'ava'
import { Events } from '../../src/health/events.ts'
import { fromNumber } from '../../src/ip/address.ts'
import { Announcer } from '../../src/probe/announce.ts'
import { EvidenceBook } from '../../src/probe/evidence.ts'
import type { Cause, PeerHealth } from '../../src/probe/peer-health.ts'
import { prefix } from '../fake/values.ts'
import { logInto } from '../lab/scenarios/firewall-host.ts'

const health = (state: PeerHealth['state'], cause: Cause, note = ''): PeerHealth => ({
  state,
  cause,
  note,
  rttMs: 1,
  loss: 0,
  pathMtu: 1450,
  since: 0,
})
const UP = health('up', 'none')
const DOWN = health('unreachable', 'host-down', 'down?')

const PEER = { subnet: prefix('10.2.9.0/24') }
const PEER6 = { subnet: prefix('fd00:10:2:9::/64'), also: PEER.subnet }

/** What is said of these healths of one peer, one after the other. */
const said = (...healths: readonly PeerHealth[]): ReturnType<typeof saidOf> => saidOf(PEER, healths)

function saidOf(
  peer: typeof PEER | typeof PEER6,
  healths: readonly PeerHealth[],
): { lines: readonly string[]; events: Events } {
  const lines: string[] = []
  const events = new Events()
  const announcer = new Announcer(logInto(lines), events)
  let before: PeerHealth | undefined
  for (const after of healths) {
    announcer.judged(peer, before, after, 0)
    before = after
  }
  return { lines, events }
}

test('a peer that is well, or of which nothing is known yet, says nothing', (t) => {
  t.deepEqual(said(UP, UP, UP).lines, [])
  t.deepEqual(said(health('unknown', 'none'), UP).lines, [])
  t.deepEqual(said(UP, health('unknown', 'none')).lines, [])
})

test('of a host with two families each is reported by itself, under the name of the host', (t) => {
  const { lines, events } = saidOf(PEER6, [UP, DOWN, UP])
  t.deepEqual(lines, ['peer 10.2.9.0/24 unreachable by IPv6: down?', 'peer 10.2.9.0/24 up by IPv6'])
  t.deepEqual([...new Set(events.recent.map(({ peer }) => peer))], ['10.2.9.0/24'])
  const four = saidOf({ subnet: PEER.subnet, also: PEER6.subnet }, [UP, DOWN])
  t.deepEqual(four.lines, ['peer 10.2.9.0/24 unreachable by IPv4: down?'])
})

test('a change is reported once, and so is recovery', (t) => {
  const { lines, events } = said(UP, DOWN, DOWN, UP, UP)
  t.deepEqual(lines, ['peer 10.2.9.0/24 unreachable: down?', 'peer 10.2.9.0/24 up'])
  t.deepEqual(
    events.recent.map(({ kind, bad, peer, text }) => [kind, bad, peer, text]),
    [
      ['probe', true, '10.2.9.0/24', 'peer 10.2.9.0/24 unreachable: down?'],
      ['probe', false, '10.2.9.0/24', 'peer 10.2.9.0/24 up'],
    ],
  )
})

test('another cause is another line; trouble at the first probe is reported', (t) => {
  const blocked = health('unreachable', 'tunnel-blocked', 'udp 8472 blocked?')
  t.deepEqual(said(DOWN, blocked).lines, [
    'peer 10.2.9.0/24 unreachable: down?',
    'peer 10.2.9.0/24 unreachable: udp 8472 blocked?',
  ])
})

test('when a thousand fall at once there are ten lines a minute, and a sum', (t) => {
  const lines: string[] = []
  const announcer = new Announcer(logInto(lines), new Events())
  for (let i = 0; i < 1000; i++) announcer.judged({ subnet: prefix(`10.2.${i % 250}.0/24`) }, UP, DOWN, i)
  t.is(lines.length, 10)
  announcer.judged({ subnet: prefix('10.3.1.0/24') }, UP, DOWN, 70_000)
  t.deepEqual(lines.slice(10), [
    'and 990 more changes of peers: flanneld peers lists them',
    'peer 10.3.1.0/24 unreachable: down?',
  ])
})

test('evidence: the latest of each kind, of the peers received from last', (t) => {
  const book = new EvidenceBook()
  const first = fromNumber(0x0a020100)
  book.came(first, 'underlay', 2.5, 10_000)
  book.came(first, 'tunnel', undefined, 11_000)
  t.deepEqual(book.of(first), { tunnelAt: 11_000, underlayAt: 10_000, saidAt: 10_000, heardUsAt: 7500 })
  book.came(first, 'underlay', Infinity, 12_000)
  t.deepEqual(book.of(first), { tunnelAt: 11_000, underlayAt: 12_000, saidAt: 12_000, heardUsAt: undefined })
  for (let i = 1; i <= 5000; i++) book.came(fromNumber(0x0b000000 + i), 'tunnel', 0, i)
  t.is(book.of(first).tunnelAt, undefined, 'forgotten for those who came after')
  t.is(book.of(fromNumber(0x0b000000 + 5000)).tunnelAt, 5000)
})
