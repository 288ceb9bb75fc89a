// The picture of many peers: a small mark each, grouped by how packets go there; those in trouble first, with their names.
import { peerKey } from '../changes.ts'
import type { PageHost, PagePeer } from '../shape.ts'
import { type Drawn, el, keyed, set } from './dom.ts'
import { markBox, milliseconds, spoken, troubled, way } from './words.ts'

/** The most peers in trouble that are named in a group; all are in the table. */
const NAMED = 60

interface Group {
  readonly name: string
  readonly peers: readonly PagePeer[]
}

const groups: Drawn<Group> = new Map()
const marks = new WeakMap<Element, Drawn<PagePeer>>()
let list: HTMLElement | undefined

/** Draws it. */
export function drawMarks(into: HTMLElement, host: PageHost, peers: readonly PagePeer[]): void {
  if (list?.parentNode !== into) {
    groups.clear()
    list = el('div', { class: 'groups', role: 'listbox', 'aria-label': 'Peers as a picture' })
    into.replaceChildren(el('p', { class: 'host' }), list)
  }
  const card = into.firstElementChild
  const others = host.others.map(({ subnet }) => subnet)
  const small = ['this host', host.name, host.address, ...others].filter(Boolean).join(' · ')
  card?.replaceChildren(el('strong', {}, host.subnet ?? 'no subnet yet'), el('span', {}, small))
  const names = [...new Set(peers.map(way))].toSorted()
  const items = names.map((name) => ({ name, peers: peers.filter((peer) => way(peer) === name) }))
  keyed(list, groups, items, { key: ({ name }) => name, make: makeGroup, draw: drawGroup })
}

function makeGroup({ name }: Group): Element {
  return el(
    'div',
    { class: `group ${name === 'direct' ? 'direct' : 'tunnel'}`, role: 'group' },
    el('h3', {}),
    el('div', { class: 'marks-list' }),
  )
}

function drawGroup(on: Element, { name, peers }: Group): void {
  const [title, cells] = on.children
  if (title === undefined || cells === undefined) return
  const label = `${name} · ${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}${trips(peers)}`
  if (title.textContent !== label) title.textContent = label
  set(on, { 'aria-label': label })
  // Room by how many there are, so that few do not get half of it.
  if (on instanceof HTMLElement) on.style.flexGrow = String(Math.ceil(Math.sqrt(peers.length)))
  const drawn: Drawn<PagePeer> = marks.get(cells) ?? new Map<string, never>()
  marks.set(cells, drawn)
  const named = new Set(peers.filter(troubled).slice(0, NAMED))
  keyed(cells, drawn, peers, {
    key: peerKey,
    make: () => el('span', { role: 'option', tabindex: -1 }),
    draw: (cell, peer) => {
      drawCell(cell, peer, named.has(peer))
    },
  })
}

function drawCell(cell: Element, peer: PagePeer, named: boolean): void {
  const words = spoken(peer)
  set(cell, {
    'data-key': peerKey(peer),
    'aria-label': words,
    title: words,
    class: `cell ${peer.state}${named ? ' named' : ''}`,
  })
  cell.replaceChildren(markBox(peer.state), ...(named ? [peer.subnet] : []))
}

/** The round trips of a group in a few words. */
function trips(peers: readonly PagePeer[]): string {
  const all = peers.flatMap(({ rttMs }) => rttMs ?? []).toSorted((a, b) => a - b)
  const [half, most] = [all[Math.floor(all.length / 2)], all.at(-1)]
  return half === undefined || most === undefined
    ? ''
    : ` · median ${milliseconds(half)}, slowest ${milliseconds(most)}`
}
