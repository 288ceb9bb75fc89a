// The parts of the page that are text: the verdict, the facts, leases and events.
import type { PageFact, PageEvent, PageLease, PageLeases, PageState } from '../shape.ts'
import { type Child, type Drawn, byId, el, keyed, shows } from './dom.ts'
import { markBox, since, until } from './words.ts'

/** Marks of a verdict are those of a peer's state. */
const MARKS: Readonly<Record<string, string>> = { healthy: 'up', degraded: 'degraded', broken: 'unreachable' }

/** How many leases are listed before the reader asks for more. */
const LEASES = 50

/** Draws the verdict; when it is the same, nothing, so that a screen reader does not repeat it. */
export function drawVerdict({ verdict, host }: Pick<PageState, 'verdict' | 'host'>): void {
  const section = byId('verdict')
  if (shows(section, { verdict, host })) return
  const state = MARKS[verdict.word] ?? 'unknown'
  section.className = state
  section.replaceChildren(
    el('h1', {}, markBox(state), verdict.word, el('span', { class: 'summary' }, verdict.summary)),
    el('p', { class: 'where' }, `${[host.name, host.address].filter(Boolean).join(' ')} · up `, since(host.since)),
    el('ul', {}, ...verdict.reasons.map(({ text, run }) => el('li', {}, text, ...runs(text, run)))),
  )
}

function runs(text: string, run: string | null): readonly Child[] {
  return run === null ? [] : [/[.?!]$/.test(text) ? ' Run: ' : '. Run: ', el('code', {}, run)]
}

/** Draws label and text of each fact. */
export function drawFacts(facts: readonly PageFact[], into: HTMLElement = byId('facts')): void {
  if (shows(into, facts)) return
  into.replaceChildren(...facts.map(({ label, text }) => el('div', {}, el('dt', {}, label), el('dd', {}, text))))
}

const leases: Drawn<PageLease> = new Map()
let allLeases = false

/** Draws the leases: counts, and a list as far as one can read. */
export function drawLeases({ facts, list }: PageLeases): void {
  const section = byId('leases')
  if (section.firstElementChild === null) {
    const more = el('button', { type: 'button', class: 'more', hidden: true })
    more.addEventListener('click', () => {
      allLeases = true
      drawLeases(latest)
    })
    section.append(el('dl', { class: 'facts' }), el('ul', { class: 'leases' }), more)
  }
  latest = { facts, list }
  const [summary, rows, more] = section.children
  if (!(summary instanceof HTMLElement) || rows === undefined || !(more instanceof HTMLElement)) return
  drawFacts(facts, summary)
  const shown = allLeases ? list : list.slice(0, LEASES)
  keyed(rows, leases, shown, {
    key: ({ subnet, publicAddress }) => `${subnet} ${publicAddress}`,
    make: () => el('li'),
    draw: (row, lease) => {
      row.replaceChildren(...leaseLine(lease))
    },
  })
  more.hidden = shown.length === list.length
  more.textContent = `Show all ${list.length} leases`
}

let latest: PageLeases = { facts: [], list: [] }

function leaseLine({ subnet, publicAddress, others, backend, kind, expires, note }: PageLease): readonly Node[] {
  const all = [{ subnet, address: publicAddress }, ...others]
  return [
    el('span', { class: `tag ${kind}` }, kind),
    ...all.map((one) => el('span', { class: 'code' }, one.subnet)),
    ...all.flatMap(({ address }) => (address === null ? [] : [el('span', { class: 'code' }, address)])),
    el('span', {}, backend),
    ...(expires === null ? [] : [until(expires)]),
    ...(note === '' ? [] : [el('span', {}, note)]),
  ]
}

const events: Drawn<PageEvent> = new Map()

/** Draws events, newest first; those after the one numbered `seen` stand out for a moment. */
export function drawEvents(list: readonly PageEvent[], seen: number): void {
  const parent = byId('events')
  parent.dataset['none'] = list.length === 0 ? 'Nothing has happened since the daemon started.' : ''
  keyed(parent, events, list.toReversed(), {
    key: ({ id, at }) => `${id} ${at}`,
    make: () => el('li'),
    draw: (row, event) => {
      row.className = [event.bad ? 'bad' : '', event.id > seen ? 'fresh' : ''].join(' ').trim()
      row.replaceChildren(
        since(event.at, ' ago'),
        el('span', { class: 'tag' }, event.bad ? `${event.kind} !` : event.kind),
        el('span', { class: 'text' }, event.text),
      )
    },
  })
}
