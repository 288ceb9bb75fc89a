// What a turn sends: enough to be sure and to find the right size, and no more.
import test from 'ava'
import fc from 'fast-check'
import { CONFIRMED, BURSTS } from '../../src/probe/turn-plan.ts'
import { SMALLEST } from '../../src/probe/icmp.ts'
import { countOf, passes } from '../../src/probe/tally.ts'
import { DIRECT, TUNNEL, seeded, runTurn } from '../fake/probed-path.ts'

const SMALL = SMALLEST[4]

const EXPECTED = fc.constantFrom('answers', 'either', 'nothing')

test('a healthy peer costs one burst: four small packets and two full ones per kind of probe', (t) => {
  const { bursts } = runTurn(TUNNEL, {})
  t.is(bursts.length, 1)
  t.deepEqual(
    ['tunnel', 'underlay'].map((lane) => bursts[0]?.filter((ask) => ask.lane === lane).map(({ length }) => length)),
    [
      [SMALL, SMALL, SMALL, SMALL, 1450, 1450],
      [SMALL, SMALL, SMALL, SMALL, 1500, 1500],
    ],
  )
  t.is(runTurn(DIRECT, {}).bursts[0]?.length, 6)
})

test('a silent peer is asked eight times before it is called so, in two bursts', (t) => {
  const { tallies, bursts } = runTurn(TUNNEL, { tunnel: { open: false } })
  t.is(bursts.length, 2)
  t.deepEqual(tallies.tunnel && countOf(tallies.tunnel, SMALL), { sent: CONFIRMED, answered: 0 })
})

test('a peer of which nothing is known is asked with small packets first; full ones follow an answer', (t) => {
  const well = runTurn(TUNNEL, {}, 0, 'either').bursts
  t.deepEqual(
    well.map((asks) => new Set(asks.map(({ length }) => length))),
    [new Set([SMALL]), new Set([1450, 1500])],
  )
  const { tallies, bursts } = runTurn(TUNNEL, { tunnel: { open: false }, underlay: { open: false } }, 0, 'either')
  t.is(bursts.length, 1)
  t.is(tallies.tunnel && countOf(tallies.tunnel, SMALL).sent, CONFIRMED / 2, 'the other half is due in its second turn')
})

test('a peer that is gone costs two packets per kind of probe, until one is answered', (t) => {
  const gone = runTurn(TUNNEL, { tunnel: { open: false }, underlay: { open: false } }, 0, 'nothing')
  t.deepEqual(
    gone.bursts.map((asks) => asks.map(({ lane, length }) => [lane, length])),
    [
      [
        ['tunnel', SMALL],
        ['tunnel', SMALL],
        ['underlay', SMALL],
        ['underlay', SMALL],
      ],
    ],
  )
  const back = runTurn(TUNNEL, {}, 0, 'nothing')
  t.is(back.tallies.tunnel && passes(back.tallies.tunnel), 1450, 'the full size is proven in the turn it is back')
  const blocked = runTurn(TUNNEL, { tunnel: { open: false } }, 0, 'nothing')
  t.is(
    blocked.tallies.tunnel && countOf(blocked.tallies.tunnel, SMALL).sent,
    6,
    'its host is back, so the tunnel is asked on',
  )
})

test('a host that drops ICMP outside its tunnel costs nothing more', (t) => {
  t.is(runTurn(TUNNEL, { underlay: { open: false } }).bursts.length, 1)
})

test('any path MTU is found exactly within one turn, in the tunnel, beneath it and by a plain route', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: SMALL, max: 1449 }), fc.nat(1500), EXPECTED, (mtu, hint, expected) => {
      const inside = runTurn(TUNNEL, { tunnel: { mtu } }, hint, expected)
      t.is(inside.tallies.tunnel && passes(inside.tallies.tunnel), mtu)
      const beneath = runTurn(TUNNEL, { underlay: { mtu } }, hint, expected)
      t.is(passes(beneath.tallies.underlay), mtu)
      t.is(passes(runTurn(DIRECT, { underlay: { mtu } }, hint, expected).tallies.underlay), mtu)
      t.true(inside.bursts.length <= BURSTS)
    }),
  )
  t.pass()
})

test('a path MTU that is known is seen again with a few packets', (t) => {
  const { bursts } = runTurn(TUNNEL, { tunnel: { mtu: 1400 } }, 1400)
  t.is(bursts.length, 2)
  t.deepEqual(
    bursts[1]?.map(({ length }) => length).toSorted((a, b) => a - b),
    [1400, 1400, 1401, 1401, 1450, 1450, 1450, 1450, 1450, 1450],
  )
})

test('whatever is lost, a turn ends, and no size is reported to pass that does not', (t) => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: SMALL, max: 1500 }),
      EXPECTED,
      (seed, loss, mtu, expected) => {
        const world = { tunnel: { mtu }, loss, random: seeded(seed) }
        const { tallies, bursts } = runTurn(TUNNEL, world, 0, expected)
        t.true(bursts.length <= BURSTS)
        t.true(bursts.flat().length <= 120, 'bounded cost')
        t.true(passes(tallies.tunnel ?? tallies.underlay) <= mtu)
      },
    ),
  )
  t.pass()
})
