// Building the document. Invariant: text becomes text nodes and nothing else, whatever its source.
import { equal } from '../../equal.ts'

/** Attributes by name; false and undefined leave one out, true sets it empty. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** A child: an element, or text. */
export type Child = Node | string

const SVG = 'http://www.w3.org/2000/svg'

/** An HTML element. */
export function el(name: string, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElement {
  const made = document.createElement(name)
  set(made, attributes)
  made.append(...children)
  return made
}

/** An SVG element. */
export function svg(name: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  const made = document.createElementNS(SVG, name)
  set(made, attributes)
  made.append(...children)
  return made
}

/** Sets attributes that differ. */
export function set(on: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) on.removeAttribute(name)
    else if (on.getAttribute(name) !== String(value)) on.setAttribute(name, value === true ? '' : String(value))
  }
}

/** The element of the page with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`page.html: no #${id}`)
  return found
}

/** Elements made for items, by the items' keys, each with what it was last drawn from. */
export type Drawn<T> = Map<string, { readonly element: Element; readonly item: T }>

/**
 * Makes the children of `parent` those of `items`, in order. An item that is the same as before costs nothing; one that
 * changed is drawn into the element it had, so that what has the focus keeps it.
 */
export function keyed<T>(
  parent: Element,
  drawn: Drawn<T>,
  items: readonly T[],
  { key, make, draw }: { key: (item: T) => string; make: (item: T) => Element; draw: (on: Element, item: T) => void },
): void {
  const focus = document.activeElement
  const left = new Set(drawn.keys())
  let cursor = parent.firstElementChild
  for (const item of items) {
    const name = key(item)
    left.delete(name)
    const known = drawn.get(name)
    const element = known?.element ?? make(item)
    if (known?.item !== item) {
      draw(element, item)
      drawn.set(name, { element, item })
    }
    if (element === cursor) cursor = cursor.nextElementSibling
    else parent.insertBefore(element, cursor)
  }
  for (const name of left) {
    drawn.get(name)?.element.remove()
    drawn.delete(name)
  }
  // Moving an element takes the focus from it.
  if (focus !== document.activeElement && focus instanceof HTMLElement && focus.isConnected)
    focus.focus({ preventScroll: true })
}

const shown = new WeakMap<HTMLElement, unknown>()

/** Whether an element was drawn from the same values before; notes them when it was not. */
export function shows(element: HTMLElement, values: unknown): boolean {
  if (equal(shown.get(element), values)) return true
  shown.set(element, values)
  return false
}
