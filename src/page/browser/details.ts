// All that is known of one peer, with the command that looks closer.
import { peerKey } from '../changes.ts'
import type { PagePeer } from '../shape.ts'
import { el, shows } from './dom.ts'
import { markBox, milliseconds, percent, since, way } from './words.ts'

/** Draws the chosen peer; hides the place when none is. */
export function drawDetails(into: HTMLElement, peer: PagePeer | undefined): void {
  into.hidden = peer === undefined
  if (shows(into, peer ?? null)) return
  if (peer === undefined) {
    into.replaceChildren()
    return
  }
  const { state, publicAddress, rttMs, loss, pathMtu, note } = peer
  const unknown = 'not known'
  const lines: readonly (readonly [label: string, value: Node | string])[] = [
    ['public address', publicAddress ?? unknown],
    ['path', way(peer)],
    ['round trip', rttMs === null ? unknown : milliseconds(rttMs)],
    ['loss', loss === null ? unknown : percent(loss)],
    ['path MTU', pathMtu === null ? unknown : `${pathMtu} bytes`],
    ['so since', peer.since === null ? unknown : since(peer.since)],
  ]
  into.dataset['key'] = peerKey(peer)
  into.replaceChildren(
    el('h3', {}, markBox(state), el('span', { class: 'code' }, peer.subnet), ` ${state}`),
    ...(note === '' ? [] : [el('p', { class: 'note' }, note)]),
    el(
      'dl',
      { class: 'facts' },
      ...lines.map(([label, value]) => el('div', {}, el('dt', {}, label), el('dd', {}, value))),
    ),
    el('p', {}, 'To look closer: ', el('code', {}, `flanneld doctor ${peer.subnet}`)),
  )
}
