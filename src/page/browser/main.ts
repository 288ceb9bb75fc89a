// The page: follows the daemon's events, keeps what they say, and draws it again.
import { peerKey } from '../changes.ts'
import type { PageEvent, PageChange, PageState, PagePeer } from '../shape.ts'
import { byId, el } from './dom.ts'
import { drawEvents, drawFacts, drawLeases, drawVerdict } from './lists.ts'
import { Peers } from './peers.ts'
import { tick } from './words.ts'

/** The most events that are kept. */
const EVENTS = 100

const peers = new Peers()
let known: Omit<PageState, 'peers' | 'events'> | undefined
let byKey = new Map<string, PagePeer>()
let events: readonly PageEvent[] = []
/** How far the daemon's clock is ahead of ours. Milliseconds. */
let ahead = 0
let waiting = false
/** The last event there was when the page began. */
let seen = 0

function take(change: PageChange): void {
  ahead = change.at - Date.now()
  const { whole, peers: moved, events: happened, ...parts } = change
  if (whole === true) [byKey, events] = [new Map<string, PagePeer>(), []]
  known = { ...known, ...parts } as Omit<PageState, 'peers' | 'events'>
  for (const key of moved?.gone ?? []) byKey.delete(key)
  for (const peer of moved?.set ?? []) byKey.set(peerKey(peer), peer)
  events = [...events, ...(happened ?? [])].slice(-EVENTS)
  if (whole === true) seen = events.at(-1)?.id ?? 0
  drawSoon()
}

/** Once before the screen is shown next, however much has come. */
function drawSoon(): void {
  if (waiting) return
  waiting = true
  requestAnimationFrame(draw)
}

function draw(): void {
  waiting = false
  if (known === undefined) return
  const now = Date.now() + ahead
  drawVerdict(known)
  drawFacts(known.facts)
  peers.draw([...byKey.values()], known.host, known.unshown)
  drawLeases(known.leases)
  drawEvents(events, seen)
  byId('about').replaceChildren(`flanneld ${known.version} · `, el('a', { href: 'api/state' }, 'as JSON'))
  document.title = `${known.verdict.word} · ${known.host.subnet ?? 'flanneld'}`
  tick(now)
}

function follow(): void {
  const lost = byId('lost')
  const stream = new EventSource('api/live')
  stream.onmessage = ({ data }: MessageEvent<string>) => {
    take(JSON.parse(data) as PageChange)
  }
  stream.onopen = () => (lost.hidden = true)
  stream.onerror = () => {
    lost.textContent = 'The daemon does not answer. What is below is what it said last; trying again.'
    lost.hidden = false
    // After some answers, such as a 404, a browser never connects again.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000)
  }
}

peers.onFilter(drawSoon)
setInterval(() => {
  tick(Date.now() + ahead)
}, 1000)
follow()
