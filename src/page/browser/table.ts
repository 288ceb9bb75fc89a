// The table of peers, those in trouble first, as far as one can read; the rest on request.
import { peerKey } from '../changes.ts'
import type { PagePeer } from '../shape.ts'
import { type Drawn, el, keyed, set } from './dom.ts'
import { addressesOf, markBox, milliseconds, percent, since, subnetsOf, wayOf } from './words.ts'

/** Rows shown at first, and how many more at each request. */
const ROWS = 50

const COLUMNS = [
  'Subnet',
  'Public address',
  'Path',
  'State',
  'Round trip',
  'Loss',
  'Path MTU',
  'Since',
  'Note',
] as const

const rows: Drawn<PagePeer> = new Map()
let limit = ROWS
let last: { readonly shown: readonly PagePeer[]; readonly chosen: string | undefined } = {
  shown: [],
  chosen: undefined,
}

/** Draws it. */
export function drawTable(into: HTMLElement, shown: readonly PagePeer[], chosen: string | undefined): void {
  last = { shown, chosen }
  const body = into.querySelector('tbody') ?? begin(into)
  keyed(body, rows, shown.slice(0, limit), { key: peerKey, make: () => el('tr'), draw: drawRow })
  for (const row of body.children) set(row, { 'aria-selected': row.getAttribute('data-key') === chosen })
  const more = into.querySelector('button')
  if (more === null) return
  more.hidden = shown.length <= limit
  more.textContent = `Show ${Math.min(ROWS * 4, shown.length - limit)} more of ${shown.length}`
}

function begin(into: HTMLElement): HTMLElement {
  const body = el('tbody')
  const more = el('button', { type: 'button', class: 'more' })
  more.addEventListener('click', () => {
    limit += ROWS * 4
    drawTable(into, last.shown, last.chosen)
  })
  const head = el('tr', {}, ...COLUMNS.map((column) => el('th', { scope: 'col' }, column)))
  into.replaceChildren(el('table', { 'aria-labelledby': 'table-title' }, el('thead', {}, head), body), more)
  return body
}

/** Texts below each other. */
function lines(texts: readonly string[]): readonly (Node | string)[] {
  const [first = '–', ...others] = texts
  return [first, ...others.flatMap((text) => [el('br'), text])]
}

function drawRow(row: Element, peer: PagePeer): void {
  const { state, rttMs, loss, pathMtu, note } = peer
  const cells: readonly (readonly (Node | string)[])[] = [
    lines(subnetsOf(peer)),
    lines(addressesOf(peer)),
    [wayOf(peer)],
    [markBox(state), state],
    [rttMs === null ? '–' : milliseconds(rttMs)],
    [loss === null ? '–' : percent(loss)],
    [pathMtu === null ? '–' : String(pathMtu)],
    [peer.since === null ? '–' : since(peer.since)],
    [note],
  ]
  set(row, { 'data-key': peerKey(peer), class: state })
  row.replaceChildren(
    ...cells.map((cell, i) => {
      const empty = cell[0] === '–' || cell[0] === ''
      const attributes = { 'data-label': COLUMNS[i] ?? '', class: empty ? 'none' : undefined }
      return el(i === 0 ? 'th' : 'td', i === 0 ? { ...attributes, scope: 'row' } : attributes, ...cell)
    }),
  )
}
