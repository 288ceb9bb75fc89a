// The picture of few peers: a card for each and a line to it from this host's card.
// Invariant: a line shows how packets go by its shape (one stroke: direct; a tube: tunnel) and how that goes by mark and words.
import { equal } from '../../equal.ts'
import { peerKey } from '../changes.ts'
import type { PageHost, PagePeer } from '../shape.ts'
import { type Drawn, keyed, set, svg } from './dom.ts'
import { mark, onLine, spoken, subnetsOf, way } from './words.ts'

/** A place for a card: its left upper corner and width, and the line to it, with the middle of that. */
interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly line: string
  readonly middle: readonly [x: number, y: number] | undefined
}

interface Placed extends Place {
  readonly peer: PagePeer
  readonly height: number
}

const CARD = { width: 224, height: 58, gap: 18 }
/** Where some host has two families, there is a line more for the second subnet. */
const TALL = 76
const MARGIN = 3
/** Three peers or fewer stay near their host. */
const FEW = { peers: 3, width: 820 }
/** Two columns of cards, the host between them and room for the lines need as much. Pixels. */
const BOTH_SIDES = 960

const drawn: Drawn<Placed> = new Map()
let canvas: SVGElement | undefined

/** Draws it `width` pixels wide. */
export function drawCards(
  into: HTMLElement,
  host: PageHost,
  peers: readonly PagePeer[],
  width: number,
  kind: 'beside' | 'below',
): void {
  if (canvas?.parentNode !== into) {
    drawn.clear()
    canvas = svg('svg', { class: 'cards', role: 'listbox', 'aria-label': 'Peers as a picture' })
    canvas.append(svg('g', { class: 'host' }), svg('g', { class: 'peers' }))
    into.replaceChildren(canvas)
  }
  const used = kind === 'beside' && peers.length <= FEW.peers ? Math.min(width, FEW.width) : width
  const two = host.others.length > 0 || peers.some(({ families }) => families.length > 1)
  const tall = two ? TALL : CARD.height
  const { places, hostAt, height } = kind === 'beside' ? beside(peers, used, tall) : below(peers, used, tall)
  set(canvas, { viewBox: `0 0 ${used} ${height}`, width: used, height })
  const [middle, around] = canvas.children
  if (middle === undefined || around === undefined) return
  middle.replaceChildren(...trunk(hostAt.trunk), ...hostCard(host, { ...hostAt, height: tall }))
  const placed = peers.flatMap((peer, i) => {
    const place = places[i]
    return place === undefined ? [] : [{ ...place, peer, height: tall }]
  })
  const items = placed.map((it) => {
    const known = drawn.get(peerKey(it.peer))?.item
    return known !== undefined && equal(known, it) ? known : it
  })
  keyed(around, drawn, items, {
    key: ({ peer }) => peerKey(peer),
    make: () => svg('g', { role: 'option', tabindex: -1 }),
    draw: drawPeer,
  })
}

interface Layout {
  readonly places: readonly Place[]
  /** `trunk`: the line down from it that branches are on, where there is one. */
  readonly hostAt: { readonly x: number; readonly y: number; readonly width: number; readonly trunk?: string }
  readonly height: number
}

/**
 * Direct peers on the left, tunnelled ones on the right; where there is but one kind, on both sides; where there is no
 * room for two sides, all on the right.
 */
function beside(peers: readonly PagePeer[], width: number, tall: number): Layout {
  const kinds = new Set(peers.map(way))
  const oneSide = peers.length <= FEW.peers || width < BOTH_SIDES
  const sides = peers.map((peer, i): 'left' | 'right' => {
    if (oneSide) return 'right'
    if (kinds.size > 1) return way(peer) === 'direct' ? 'left' : 'right'
    return i % 2 === 0 ? 'left' : 'right'
  })
  const count = (side: string): number => sides.filter((it) => it === side).length
  const rows = Math.max(count('left'), count('right'), 2)
  const row = tall + CARD.gap
  const height = rows * row - CARD.gap + 2 * MARGIN
  const hostWidth = 200
  const hostAt = { x: oneSide ? MARGIN : (width - hostWidth) / 2, y: (height - tall) / 2, width: hostWidth }
  const next = { left: 0, right: 0 }
  const places = sides.map((side): Place => {
    const offset = (height - (count(side) * row - CARD.gap)) / 2
    const y = offset + next[side]++ * row
    const x = side === 'left' ? MARGIN : width - CARD.width - MARGIN
    const from = [side === 'left' ? hostAt.x : hostAt.x + hostWidth, height / 2] as const
    const to = [side === 'left' ? x + CARD.width : x, y + tall / 2] as const
    const bend = (from[0] + to[0]) / 2
    return {
      x,
      y,
      width: CARD.width,
      line: `M${from[0]} ${from[1]}C${bend} ${from[1]} ${bend} ${to[1]} ${to[0]} ${to[1]}`,
      // Past the middle: lines are close together where they begin.
      middle: along(from, to, 0.62),
    }
  })
  return { places, hostAt, height }
}

/** The point of that curve at t. */
function along(from: readonly [number, number], to: readonly [number, number], t: number): readonly [number, number] {
  const s = 1 - t
  const [a, b, c, d] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t]
  const bend = (from[0] + to[0]) / 2
  return [a * from[0] + b * bend + c * bend + d * to[0], (a + b) * from[1] + (c + d) * to[1]]
}

/** This host on top, a trunk down from it, a branch to each peer. */
function below(peers: readonly PagePeer[], width: number, tall: number): Layout {
  const [trunkAt, left] = [24, 72]
  const row = tall + 12
  const top = tall + 20
  const middleOf = (i: number): number => top + i * row + tall / 2
  const trunk = `M${trunkAt} ${tall}V${middleOf(peers.length - 1)}`
  const places = peers.map((_, i): Place => {
    const line = `M${trunkAt} ${middleOf(i)}H${left}`
    return { x: left, y: top + i * row, width: width - left - 1, line, middle: undefined }
  })
  return { places, hostAt: { x: 1, y: 1, width: width - 2, trunk }, height: top + peers.length * row }
}

function trunk(line: string | undefined): readonly SVGElement[] {
  return line === undefined ? [] : [svg('path', { class: 'trunk', d: line })]
}

/** A card's left upper corner and its size. */
interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

function hostCard({ name, subnet, address, others }: PageHost, { x, y, width, height }: Box): readonly SVGElement[] {
  return [
    svg('rect', { class: 'box', x, y, width, height, rx: 10 }),
    text(x + 14, y + 24, 'name', subnet ?? 'no subnet yet'),
    ...others.map((other) => text(x + 14, y + 44, 'small', other.subnet)),
    text(x + 14, y + height - 14, 'small', [name, address].filter(Boolean).join(' · ')),
  ]
}

function drawPeer(on: Element, { peer, x, y, width, height, line, middle }: Placed): void {
  const tunnel = way(peer) !== 'direct'
  const { state } = peer
  set(on, { 'data-key': peerKey(peer), 'aria-label': spoken(peer), class: `peer ${state}` })
  const label = onLine(peer)
  const wide = 28 + label.length * 7
  const pill =
    middle === undefined || label === ''
      ? []
      : [
          svg('rect', { class: 'pill', x: middle[0] - wide / 2, y: middle[1] - 11, width: wide, height: 22, rx: 11 }),
          mark(state, middle[0] - wide / 2 + 7, middle[1] - 5, 10),
          text(middle[0] + 8, middle[1] + 4, 'rtt', label, 'middle'),
        ]
  on.replaceChildren(
    ...(tunnel ? [svg('path', { class: 'tube', d: line })] : []),
    svg('path', { class: 'line', d: line }),
    ...pill,
    svg('rect', { class: 'box', x, y, width, height, rx: 10 }),
    mark(state, x + 12, y + 12, 14),
    text(x + 34, y + 24, 'name', peer.subnet),
    text(x + width - 12, y + 24, 'rtt', middle === undefined ? label : state, 'end'),
    ...subnetsOf(peer)
      .slice(1)
      .map((subnet) => text(x + 34, y + 44, 'small', subnet)),
    text(
      x + 34,
      y + height - 14,
      'small',
      [peer.publicAddress, middle === undefined ? state : peer.via, peer.encrypted === true ? 'encrypted' : null]
        .filter((it) => it !== null)
        .join(' · '),
    ),
  )
}

function text(x: number, y: number, kind: string, content: string, anchor = 'start'): SVGElement {
  return svg('text', { x, y, class: kind, 'text-anchor': anchor }, content)
}
