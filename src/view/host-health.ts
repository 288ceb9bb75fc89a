// The health of a host of two families as one value: the worse of what holds in each, with the family named. Pure.
import { PEER_STATES } from '../text/peer-states.ts'
import type { FamilyView, PeerView } from './status-shape.ts'

type State = PeerView['state']

/** What a host and each of its families have. */
type Shown = Omit<FamilyView, 'family' | 'subnet' | 'publicAddress'>

/** The state of a host: one that is reached in one family only is degraded. */
export function hostState<S extends State>(states: readonly S[]): S | 'degraded' | 'unknown' {
  const [worst = 'unknown'] = states.toSorted((a, b) => PEER_STATES.indexOf(a) - PEER_STATES.indexOf(b))
  return worst === 'unreachable' && states.some((state) => state === 'up' || state === 'degraded') ? 'degraded' : worst
}

/** What is shown of a host where there is room for one: the worst value of each kind; `via` and why are those of the first family. */
export function worstOf(first: FamilyView, others: readonly FamilyView[]): Shown {
  const all = [first, ...others]
  const [worst = first] = all.toSorted((a, b) => PEER_STATES.indexOf(a.state) - PEER_STATES.indexOf(b.state))
  const alike = all.filter(({ state }) => state === worst.state)
  return {
    via: first.via,
    why: first.why,
    state: hostState(all.map(({ state }) => state)),
    rttMs: extreme(Math.max, all, ({ rttMs }) => rttMs),
    loss: extreme(Math.max, all, ({ loss }) => loss),
    pathMtu: extreme(Math.min, all, ({ pathMtu }) => pathMtu),
    since: extreme(Math.max, alike, ({ since }) => since),
    cause: worst.cause,
    note: noteOf(all),
  }
}

function extreme(
  of: (...values: number[]) => number,
  views: readonly FamilyView[],
  read: (view: FamilyView) => number | null,
): number | null {
  const known = views.map(read).filter((value) => value !== null)
  return known.length === 0 ? null : of(...known)
}

/** What is wrong, with the family where it does not hold in all. */
function noteOf(all: readonly FamilyView[]): string {
  const texts = all.map(({ state, note }) => `${state}: ${note}`)
  if (new Set(texts).size === 1) return all[0]?.note ?? ''
  const mixed = new Set(all.map(({ state }) => state)).size > 1
  const notes = all.flatMap(({ family, state, note }) => {
    const word = mixed && state !== 'up' && state !== 'unknown' ? state : ''
    const text = [word, note].filter((part) => part !== '').join(': ')
    return text === '' ? [] : [`IPv${family} ${text}`]
  })
  return notes.join('; ')
}
