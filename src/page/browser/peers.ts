// The peers on the page: which are shown and in what order, the counts by state, and the one that was chosen.
import { peerKey } from '../changes.ts'
import type { PageHost, PagePeer } from '../shape.ts'
import { drawDetails } from './details.ts'
import { byId, el, shows } from './dom.ts'
import { drawPicture } from './picture.ts'
import { drawTable } from './table.ts'
import { walk } from './walk.ts'
import { PEER_STATES } from '../../text/peer-states.ts'
import { addressesOf, markBox, subnetsOf, wayOf } from './words.ts'

/** Peers in the same state are sorted by number, "10.2.9.0" before "10.2.40.0". */
const BY_NUMBER = new Intl.Collator('en', { numeric: true })

export class Peers {
  #all: readonly PagePeer[] = []
  #shown: readonly PagePeer[] = []
  #host: PageHost = { name: '', subnet: null, address: null, others: [], since: 0 }
  #unshown = 0
  #chosen: string | undefined
  readonly #filter = byId('filter') as HTMLInputElement

  constructor() {
    const picture = byId('picture')
    const choose = (key: string): void => {
      this.#chosen = this.#chosen === key ? undefined : key
      this.#draw()
      if (this.#chosen !== undefined) byId('details').scrollIntoView({ block: 'nearest' })
    }
    walk(picture, choose)
    byId('table').addEventListener('click', ({ target }) => {
      const key = target instanceof Element ? target.closest<HTMLElement>('[data-key]')?.dataset['key'] : undefined
      if (key !== undefined) choose(key)
    })
    new ResizeObserver(() => {
      this.#draw()
    }).observe(picture)
  }

  /** Calls `listener` when what is typed changes. */
  onFilter(listener: () => void): void {
    this.#filter.addEventListener('input', listener)
  }

  /** Draws them all. */
  draw(all: readonly PagePeer[], host: PageHost, unshown: number): void {
    this.#all = all.toSorted(
      (a, b) => PEER_STATES.indexOf(a.state) - PEER_STATES.indexOf(b.state) || BY_NUMBER.compare(a.subnet, b.subnet),
    )
    this.#host = host
    this.#unshown = unshown
    this.#shown = this.#matching()
    this.#drawCounts()
    this.#draw()
  }

  #matching(): readonly PagePeer[] {
    const words = this.#filter.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '')
    if (words.length === 0) return this.#all
    return this.#all.filter((peer) => {
      const text = [...subnetsOf(peer), ...addressesOf(peer), wayOf(peer), peer.note].join(' ').toLowerCase()
      return words.every((word) => peer.state === word || text.includes(word))
    })
  }

  #draw(): void {
    const [all, shown] = [this.#all, this.#shown]
    const left = this.#unshown > 0 ? `; ${this.#unshown} more are not on this page` : ''
    byId('found').textContent =
      shown.length === all.length && left === '' ? '' : `${shown.length} of ${all.length} peers shown${left}`
    byId('keys').hidden = shown.length === 0
    drawPicture(byId('picture'), this.#host, shown, this.#chosen, all.length === 0)
    drawTable(byId('table'), shown, this.#chosen)
    drawDetails(
      byId('details'),
      all.find((peer) => peerKey(peer) === this.#chosen),
    )
  }

  /** "988 up", "2 degraded": each a button that shows those alone, and again all. */
  #drawCounts(): void {
    const into = byId('counts')
    const counts = PEER_STATES.map((state) => [state, this.#all.filter((peer) => peer.state === state).length] as const)
    const wanted = this.#filter.value.trim().toLowerCase()
    if (shows(into, { counts, wanted })) return
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['state'] : undefined
    into.replaceChildren(
      ...counts.flatMap(([state, n]) => {
        if (n === 0 && wanted !== state) return []
        const pressed = wanted === state
        const button = el(
          'button',
          { type: 'button', 'data-state': state, 'aria-pressed': String(pressed) },
          markBox(state),
          `${n} ${state}`,
        )
        button.addEventListener('click', () => {
          this.#filter.value = pressed ? '' : state
          this.#filter.dispatchEvent(new Event('input'))
        })
        return [button]
      }),
    )
    if (focused !== undefined) into.querySelector<HTMLElement>(`[data-state="${focused}"]`)?.focus()
  }
}
