// Walking over the picture by keyboard: one peer of it takes part in tabbing, arrows move on from it, Enter chooses.
// Peers are elements with data-key, wherever they stand; up and down go by what is above and below on the screen.

/** Makes `picture` walkable; `choose` is called with the key of a peer, for a click too. */
export function walk(picture: HTMLElement, choose: (key: string) => void): void {
  const peerAt = (target: EventTarget | null): HTMLElement | undefined =>
    (target instanceof Element && target.closest<HTMLElement>('[data-key]')) || undefined
  picture.addEventListener('click', ({ target }) => {
    const peer = peerAt(target)
    if (peer === undefined) return
    takeTab(picture, peer)
    choose(peerKey(peer))
  })
  picture.addEventListener('focusin', ({ target }) => {
    const peer = peerAt(target)
    if (peer !== undefined) takeTab(picture, peer)
  })
  picture.addEventListener('keydown', (event) => {
    const peer = peerAt(event.target)
    if (peer === undefined || event.ctrlKey || event.altKey || event.metaKey) return
    if (event.key === 'Enter' || event.key === ' ') choose(peerKey(peer))
    else {
      const next = stepFrom(picture, peer, event.key)
      if (next === undefined) return
      next.focus()
    }
    event.preventDefault()
  })
}

/** Of all peers one has tabindex 0: the one last at, else the first. To be called when peers come and go. */
export function keepTab(picture: HTMLElement): void {
  if (picture.querySelector('[data-key][tabindex="0"]') !== null) return
  const [first] = picture.querySelectorAll<HTMLElement>('[data-key]')
  first?.setAttribute('tabindex', '0')
}

function takeTab(picture: HTMLElement, peer: HTMLElement): void {
  for (const other of picture.querySelectorAll('[data-key][tabindex="0"]')) other.setAttribute('tabindex', '-1')
  peer.setAttribute('tabindex', '0')
}

/** SVG elements have a dataset as well. */
function peerKey(peer: HTMLElement | SVGElement): string {
  return peer.dataset['key'] ?? ''
}

function stepFrom(picture: HTMLElement, from: HTMLElement, key: string): HTMLElement | undefined {
  const all = [...picture.querySelectorAll<HTMLElement>('[data-key]')]
  const at = all.indexOf(from)
  switch (key) {
    case 'ArrowRight':
      return all[at + 1]
    case 'ArrowLeft':
      return all[at - 1]
    case 'Home':
      return all[0]
    case 'End':
      return all.at(-1)
    case 'ArrowDown':
      return nearest(all, from, 1)
    case 'ArrowUp':
      return nearest(all, from, -1)
    default:
      return undefined
  }
}

/** The peer nearest below (1) or above (-1). */
function nearest(all: readonly HTMLElement[], from: HTMLElement, way: 1 | -1): HTMLElement | undefined {
  const here = centre(from)
  let best: { readonly peer: HTMLElement; readonly far: number } | undefined
  for (const peer of all) {
    const there = centre(peer)
    const down = (there.y - here.y) * way
    if (down < 4) continue
    const far = down * 4 + Math.abs(there.x - here.x)
    if (best === undefined || far < best.far) best = { peer, far }
  }
  return best?.peer
}

function centre(peer: Element): { readonly x: number; readonly y: number } {
  const box = (peer.querySelector('.box') ?? peer).getBoundingClientRect()
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
}
