// The difference between two states of the page. Pure.
import { equal } from '../equal.ts'
import type { PageChange, PageState, PagePeer } from './shape.ts'

/** Parts that are sent completely when they differ. */
const PARTS = ['version', 'verdict', 'host', 'facts', 'unshown', 'leases'] as const

/** The identity of a peer: a refused lease may name the subnet of a valid one. */
export function peerKey({ subnet, publicAddress }: PagePeer): string {
  return `${subnet} ${publicAddress ?? ''}`
}

/** A complete state, as a change from nothing. */
export function wholeOf(state: PageState): PageChange {
  return { ...state, whole: true, peers: { set: state.peers, gone: [] } }
}

/** What a reader of `before` needs to get to `after`; undefined when only the time differs. */
export function changeBetween(before: PageState, after: PageState): PageChange | undefined {
  const parts = PARTS.filter((part) => !equal<unknown>(before[part], after[part]))
  const known = new Map(before.peers.map((peer) => [peerKey(peer), peer]))
  const set = after.peers.filter((peer) => !equal(known.get(peerKey(peer)), peer))
  for (const peer of after.peers) known.delete(peerKey(peer))
  const last = before.events.at(-1)?.id ?? 0
  const events = after.events.filter(({ id }) => id > last)
  const moved = set.length + known.size > 0
  if (parts.length === 0 && !moved && events.length === 0) return undefined
  return {
    at: after.at,
    ...(Object.fromEntries(parts.map((part) => [part, after[part]])) as Partial<
      Pick<PageState, (typeof PARTS)[number]>
    >),
    ...(moved ? { peers: { set, gone: [...known.keys()] } } : {}),
    ...(events.length > 0 ? { events } : {}),
  }
}
