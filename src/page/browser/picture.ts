// The network as a picture: this host, its peers, and the line to each. A few peers get a card each, beside or below this
// host as the width allows; many get a small mark each, grouped by how packets go there.
import type { PageHost, PagePeer } from '../shape.ts'
import { drawCards } from './cards.ts'
import { el, set } from './dom.ts'
import { drawMarks } from './marks.ts'
import { keepTab } from './walk.ts'

/** The most peers that get a card, if there is room. */
const CARDS = 14
/** Below this width cards stand below each other. Pixels. */
const NARROW = 660

/** Draws it into `into`; `none`: there are no peers at all, not only none that match. */
export function drawPicture(
  into: HTMLElement,
  host: PageHost,
  peers: readonly PagePeer[],
  chosen: string | undefined,
  none: boolean,
): void {
  const width = Math.floor(into.clientWidth)
  if (width === 0) return
  const kind = peers.length === 0 ? 'nothing' : peers.length > CARDS ? 'marks' : width < NARROW ? 'below' : 'beside'
  if (into.dataset['kind'] !== kind) {
    into.replaceChildren()
    into.dataset['kind'] = kind
  }
  if (kind === 'nothing') {
    const text = none
      ? 'No peers: no other host has leased a subnet of this network yet.'
      : 'No peer matches the filter.'
    if (into.textContent !== text) into.replaceChildren(el('p', { class: 'empty' }, text))
  } else if (kind === 'marks') drawMarks(into, host, peers)
  else drawCards(into, host, peers, width, kind)
  for (const peer of into.querySelectorAll('[data-key]')) {
    set(peer, { 'aria-selected': String(peer.getAttribute('data-key') === chosen) })
  }
  keepTab(into)
}
