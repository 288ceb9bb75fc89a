// How values are put into words, the same everywhere on the page.
import { span } from '../../text/duration.ts'
import type { PagePeer } from '../shape.ts'
import { el, svg } from './dom.ts'

/** Whether an operator should look at a peer. */
export function troubled({ state }: PagePeer): boolean {
  return state === 'unreachable' || state === 'degraded' || state === 'refused'
}

/** "0.3 ms", "41 ms". */
export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}

/** "12%", and "<1%" for what is not nothing. */
export function percent(part: number): string {
  const rounded = Math.round(part * 100)
  return rounded === 0 && part > 0 ? '<1%' : `${rounded}%`
}

/** The label of the line to a peer: its round-trip time, or why there is none. */
export function onLine(peer: PagePeer): string {
  if (peer.state === 'refused') return 'lease refused'
  if (peer.state === 'unreachable') return 'no answer'
  if (peer.rttMs === null) return peer.state === 'unknown' ? 'not probed' : ''
  const loss = peer.loss === null || peer.loss === 0 ? '' : ` · ${percent(peer.loss)} lost`
  return `${milliseconds(peer.rttMs)}${loss}`
}

/** How packets go there. */
export function way({ via }: Pick<PagePeer, 'via'>): string {
  if (via === '') return 'no path'
  return via === 'direct' || via === 'host-gw' ? 'direct' : `${via} tunnel`
}

/** The same, and whether packets are encrypted. */
export function wayOf(peer: PagePeer): string {
  return peer.encrypted === true ? `${way(peer)}, encrypted` : way(peer)
}

/** The subnets of a host, one for each family. */
export function subnetsOf({ subnet, families }: PagePeer): readonly string[] {
  return families.length === 0 ? [subnet] : families.map((family) => family.subnet)
}

/** Its public addresses, one for each family. */
export function addressesOf({ publicAddress, families }: PagePeer): readonly string[] {
  const all = families.length === 0 ? [publicAddress] : families.map((family) => family.publicAddress)
  return [...new Set(all)].filter((address) => address !== null)
}

/** A peer in a sentence, for who does not see the picture. */
export function spoken(peer: PagePeer): string {
  const parts = [subnetsOf(peer).join(' and '), peer.state, ...addressesOf(peer), wayOf(peer), onLine(peer), peer.note]
  return parts.filter((part) => part !== '').join(', ')
}

/** The mark of a state: a shape of its own, not a colour alone. In SVG at (x, y); its word is next to it. */
export function mark(state: string, x = 0, y = 0, size = 16): SVGElement {
  return svg('use', { href: `#mark-${state}`, class: `mark ${state}`, x, y, width: size, height: size })
}

/** The mark, for HTML. */
export function markBox(state: string): SVGElement {
  return svg('svg', { class: 'mark-box', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, mark(state))
}

/** A time ago that keeps counting: `tick` rewrites all of these. `at` in milliseconds of the daemon's clock. */
export function since(at: number, suffix = ''): HTMLElement {
  return el('time', { 'data-at': at, 'data-suffix': suffix, datetime: new Date(at).toISOString() })
}

/** The time left until `at`, counting down. */
export function until(at: number): HTMLElement {
  return el('time', { 'data-until': at, datetime: new Date(at).toISOString() })
}

/** Rewrites every time on the page; `now` by the daemon's clock. */
export function tick(now: number): void {
  for (const time of document.querySelectorAll<HTMLElement>('time')) {
    const { at, suffix = '', until } = time.dataset
    const left = Number(until) - now
    const text =
      until === undefined
        ? `${span(Math.round((now - Number(at)) / 1000))}${suffix}`
        : left > 0
          ? `${span(Math.round(left / 1000))} left`
          : 'ended'
    if (time.textContent !== text) time.textContent = text
  }
}
