// All that is known of one peer, with the command that looks closer.
import { peerKey } from '../changes.ts'
import type { PageFamily, PagePeer } from '../shape.ts'
import { el, shows } from './dom.ts'
import { markBox, milliseconds, percent, since, subnetsOf, way } from './words.ts'

/** Draws the chosen peer; hides the place when none is. */
export function drawDetails(into: HTMLElement, peer: PagePeer | undefined): void {
  into.hidden = peer === undefined
  if (shows(into, peer ?? null)) return
  if (peer === undefined) {
    into.replaceChildren()
    return
  }
  const { state, type, encrypted, note, families } = peer
  const host: readonly Line[] = [
    ...(type === null ? [] : [['backend', type] as const]),
    ...(encrypted === null ? [] : [['encrypted', encrypted ? 'yes' : 'no'] as const]),
  ]
  into.dataset['key'] = peerKey(peer)
  into.replaceChildren(
    el('h3', {}, markBox(state), el('span', { class: 'code' }, subnetsOf(peer).join(' ')), ` ${state}`),
    ...(note === '' ? [] : [el('p', { class: 'note' }, note)]),
    ...(families.length === 0 ? [facts([...linesOf(peer), ...host])] : [...families.flatMap(ofFamily), facts(host)]),
    el('p', {}, 'To look closer: ', el('code', {}, `flanneld doctor ${peer.subnet}`)),
  )
}

type Line = readonly [label: string, value: Node | string]

/** How packets of one family go there. */
function ofFamily(view: PageFamily): readonly Node[] {
  const { family, subnet, state } = view
  const title = el('h4', {}, markBox(state), `IPv${family} `, el('span', { class: 'code' }, subnet), ` ${state}`)
  return [title, facts(linesOf(view))]
}

function linesOf(view: Omit<PageFamily, 'family'>): readonly Line[] {
  const { publicAddress, why, rttMs, loss, pathMtu } = view
  const unknown = 'not known'
  return [
    ['public address', publicAddress ?? unknown],
    ['path', why === '' ? way(view) : `${way(view)}: ${why}`],
    ['round trip', rttMs === null ? unknown : milliseconds(rttMs)],
    ['loss', loss === null ? unknown : percent(loss)],
    ['path MTU', pathMtu === null ? unknown : `${pathMtu} bytes`],
    ['so since', view.since === null ? unknown : since(view.since)],
  ]
}

function facts(lines: readonly Line[]): Node {
  const items = lines.map(([label, value]) => el('div', {}, el('dt', {}, label), el('dd', {}, value)))
  return el('dl', { class: 'facts' }, ...items)
}
