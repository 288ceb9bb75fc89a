// What readers of the page receive: changes add up to the full state; and when they receive it.
import test from 'ava'
import fc from 'fast-check'
import { Conditions } from '../../src/health/conditions.ts'
import { createLog } from '../../src/log.ts'
import { Supervisor } from '../../src/health/supervise.ts'
import { changeBetween, peerKey, wholeOf } from '../../src/page/changes.ts'
import { Live } from '../../src/page/live.ts'
import type { PageChange, PageEvent, PagePeer, PageState } from '../../src/page/shape.ts'
import { waitFor } from '../lab/instruments/wait.ts'

function peer(n: number, rttMs: number | null = null, publicAddress = `192.168.19.${n}`): PagePeer {
  const state = rttMs === null ? 'unknown' : 'up'
  return {
    subnet: `10.2.${n}.0/24`,
    publicAddress,
    type: 'vxlan',
    via: 'vxlan',
    why: '',
    encrypted: false,
    state,
    rttMs,
    loss: 0,
    pathMtu: null,
    since: 1,
    note: '',
    families: [],
  }
}

function event(id: number): PageEvent {
  return { id, at: id, kind: 'peer', bad: false, text: `event ${id}` }
}

function state(over: Partial<PageState> = {}): PageState {
  return {
    version: '0.1.0',
    at: 1000,
    verdict: { word: 'healthy', summary: '', reasons: [] },
    host: { name: 'host1', subnet: '10.2.21.0/24', address: '192.168.19.121', others: [], since: 0 },
    facts: [],
    peers: [],
    unshown: 0,
    leases: { facts: [], list: [] },
    events: [],
    ...over,
  }
}

test('when only time has passed, nothing is sent', (t) => {
  const before = state({ peers: [peer(1, 0.3)], events: [event(1)] })
  t.is(changeBetween(before, structuredClone({ ...before, at: 2000 })), undefined)
})

test('what changed is sent and nothing else', (t) => {
  const before = state({ peers: [peer(1, 0.3), peer(2, 0.4), peer(3)], events: [event(1), event(2)] })
  const after = state({ at: 2000, peers: [peer(1, 0.3), peer(2, 0.5), peer(4)], events: [event(2), event(3)] })
  t.deepEqual(changeBetween(before, after), {
    at: 2000,
    peers: { set: [peer(2, 0.5), peer(4)], gone: [peerKey(peer(3))] },
    events: [event(3)],
  })
  t.deepEqual(changeBetween(before, { ...before, at: 2000, unshown: 3 }), { at: 2000, unshown: 3 })
})

test('a peer whose public address changes is another one', (t) => {
  const change = changeBetween(state({ peers: [peer(1)] }), state({ peers: [peer(1, null, '192.168.19.77')] }))
  t.is(change?.peers?.set.length, 1)
  t.deepEqual(change?.peers?.gone, ['10.2.1.0/24 192.168.19.1'])
})

test('changes applied one after the other lead from any state to any other', (t) => {
  const peers = fc
    .uniqueArray(fc.integer({ min: 1, max: 9 }))
    .chain((ns) => fc.tuple(...ns.map((n) => fc.constantFrom(null, 0.3, 4).map((rttMs) => peer(n, rttMs)))))
  const states = peers.chain((list) => fc.nat(3).map((unshown) => state({ peers: list, unshown })))
  fc.assert(
    fc.property(fc.array(states, { minLength: 1 }), ([first = state(), ...more]) => {
      const known = new Map<string, PagePeer>()
      let unshown = -1
      const take = (change: PageChange): void => {
        for (const key of change.peers?.gone ?? []) known.delete(key)
        for (const it of change.peers?.set ?? []) known.set(peerKey(it), it)
        unshown = change.unshown ?? unshown
      }
      take(wholeOf(first))
      let last = first
      for (const next of more) {
        const change = changeBetween(last, next)
        if (change !== undefined) take(change)
        last = next
      }
      const sorted = (list: Iterable<PagePeer>): string[] => Array.from(list, (it) => JSON.stringify(it)).toSorted()
      return unshown === last.unshown && sorted(known.values()).join() === sorted(last.peers).join()
    }),
  )
  t.pass()
})

/** A source whose every look finds one more event. */
function counting(): { looks: number; settled(): Promise<PageState>; look(): PageState } {
  return {
    looks: 0,
    settled: async () => state(),
    look() {
      this.looks++
      return state({ events: Array.from({ length: this.looks }, (_, i) => event(i + 1)) })
    },
  }
}

test('without listeners nothing is read; a later listener receives the full state, then the same changes as all', async (t) => {
  const [left, watched] = [counting(), counting()]
  const part = new Supervisor(
    new Conditions(),
    createLog('test', 0, () => undefined),
  ).part('page')
  const [abandoned, live] = [new Live(left, part), new Live(watched, part)]
  t.is(watched.looks, 0)
  const told: PageChange[][] = [[], []]
  const [first, second] = [new AbortController(), new AbortController()]
  t.teardown(() => {
    second.abort()
  })
  await abandoned.join(() => undefined, first.signal)
  await live.join((change) => told[0]?.push(change), second.signal)
  await waitFor('looks at both', () => left.looks > 0 && watched.looks > 0)
  first.abort()
  const then = left.looks
  await live.join((change) => told[1]?.push(change), second.signal)
  const before = watched.looks
  await waitFor('more looks', () => watched.looks > before + 1)
  t.is(left.looks, then)
  const [early = [], late = []] = told
  t.true(early[0]?.whole)
  t.true(late[0]?.whole)
  t.is(late[0]?.events?.length, before)
  t.deepEqual(late.slice(1), early.slice(1 + before))
})
