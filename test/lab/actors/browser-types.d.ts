// The types of a browser that playwright-core's own types name. The library "DOM" would give this program a browser's globals.

interface Node {
  readonly nodeName: string
}
interface HTMLElement extends Node {
  readonly hidden: boolean
}
interface SVGElement extends Node {
  readonly viewportElement: SVGElement | null
}
type HTMLElementTagNameMap = Readonly<Record<string, HTMLElement>>
