// Whose turn it is: everyone's in turn, suspects first, never more than are allowed.
import test from 'ava'
import fc from 'fast-check'
import { PEERS, Turns } from '../../src/probe/turns.ts'

const peersOf = (count: number): Map<number, null> => new Map(Array.from({ length: count }, (_, i) => [i, null]))
const nobody = (): boolean => false

test('up to 16 peers all have a turn each round', (t) => {
  for (const count of [0, 1, 5, PEERS]) {
    const turns = new Turns<number>()
    const peers = peersOf(count)
    for (let round = 0; round < 5; round++) {
      t.deepEqual(
        turns.next(peers, nobody, PEERS, 0.5).toSorted((a, b) => a - b),
        [...peers.keys()],
      )
    }
  }
})

test('whatever is under suspicion, everyone has a turn within n / 8 rounds, and a round has at most 16', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(299)), fc.nat(50), (count, suspects, warmUp) => {
      const turns = new Turns<number>()
      const peers = peersOf(count)
      for (const suspect of suspects) turns.suspect(suspect % count, true)
      for (let round = 0; round < warmUp; round++) turns.next(peers, nobody)
      const seen = new Set<number>()
      for (let round = 0; round < Math.ceil(count / (PEERS / 2)) + 1; round++) {
        const chosen = turns.next(peers, nobody)
        t.is(new Set(chosen).size, chosen.length)
        t.true(chosen.length <= PEERS)
        for (const peer of chosen) seen.add(peer)
      }
      t.is(seen.size, count)
    }),
  )
})

test('up to eight suspects have a turn each round; more take turns among themselves', (t) => {
  const turns = new Turns<number>()
  const peers = peersOf(1000)
  for (let peer = 500; peer < 508; peer++) turns.suspect(peer, true)
  for (let round = 0; round < 10; round++) {
    t.deepEqual(turns.next(peers, nobody).slice(0, 8), [500, 501, 502, 503, 504, 505, 506, 507])
  }
  for (let peer = 508; peer < 516; peer++) turns.suspect(peer, true)
  const two = new Set([...turns.next(peers, nobody).slice(0, 8), ...turns.next(peers, nobody).slice(0, 8)])
  t.deepEqual(
    [...two].toSorted((a, b) => a - b),
    Array.from({ length: 16 }, (_, i) => 500 + i),
  )
  for (let peer = 500; peer < 516; peer++) turns.suspect(peer, false)
  t.true(turns.next(peers, nobody).every((peer) => peer < 500 || peer > 515))
})

test('peers that are busy, gone or new: left out, forgotten, and in turn', (t) => {
  const turns = new Turns<number>()
  const peers = peersOf(40)
  turns.suspect(3, true)
  t.false(turns.next(peers, (peer) => peer === 3).includes(3))
  peers.delete(3)
  peers.set(99, null)
  const seen = new Set([turns.next(peers, nobody), turns.next(peers, nobody), turns.next(peers, nobody)].flat())
  t.false(seen.has(3))
  t.true(seen.has(99))
})

test('hosts start at different peers', (t) => {
  const first = (skip: number): number | undefined => new Turns<number>().next(peersOf(100), nobody, PEERS, skip)[0]
  t.deepEqual([first(0), first(0.5), first(0.999)], [0, 50, 99])
})

test('a round among 60,000 peers looks at a few of them only', (t) => {
  const turns = new Turns<number>()
  const peers = peersOf(60_000)
  turns.next(peers, nobody)
  let looked = 0
  turns.next(peers, () => {
    looked++
    return false
  })
  t.is(looked, PEERS)
})

test('39 peers: 12.5 s at the most between two turns of one, so that 15 s are enough to find it silent', (t) => {
  const turns = new Turns<number>()
  const peers = peersOf(39)
  const last = new Map<number, number>()
  let longest = 0
  for (let round = 0; round < 100; round++) {
    // As the prober has them: one after the other, spread over the five seconds.
    for (const [i, peer] of turns.next(peers, nobody).entries()) {
      const at = round * 5 + (i * 5) / PEERS
      longest = Math.max(longest, at - (last.get(peer) ?? at))
      last.set(peer, at)
    }
  }
  t.true(longest > 0 && longest <= 12.5, `${longest} s`)
})
