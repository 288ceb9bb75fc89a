// The page's colours, light and dark: text can be read on what is behind it (WCAG 2.2, 1.4.3: a contrast of 4.5).
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'

const STYLE = readFileSync(join(ROOT, 'src/page/browser/page-1-frame.css'), 'utf8')

/** The colours of each `:root` block, by name; the second holds in the dark. */
const [LIGHT, DARK] = Array.from(STYLE.matchAll(/:root \{([^}]*)\}/g), ([, block = '']) => {
  const colours = block.matchAll(/--(\w+): #([0-9a-f]{3,6});/g)
  return new Map(
    Array.from(colours, ([, name = '', hex = '']) => [name, hex.length === 3 ? hex.replaceAll(/./g, '$&$&') : hex]),
  )
})

/** Relative luminance, as WCAG defines it. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = Array.from(hex.matchAll(/../g), ([byte]) => {
    const part = Number.parseInt(byte, 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [bright = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
  return (bright + 0.05) / (dark + 0.05)
}

for (const [scheme, colours] of [
  ['light', LIGHT],
  ['dark', DARK],
] as const) {
  test(`${scheme}: every colour of text and marks has a contrast of 4.5 on cards and on the ground`, (t) => {
    const of = (name: string): string => {
      const colour = colours?.get(name)
      if (colour === undefined) throw new Error(`no --${name}`)
      return colour
    }
    for (const text of ['ink', 'soft', 'accent', 'up', 'degraded', 'unreachable', 'unknown', 'refused']) {
      for (const behind of ['card', 'ground']) {
        const found = contrast(of(text), of(behind))
        t.true(found >= 4.5, `${text} on ${behind}: ${found.toFixed(2)}`)
      }
    }
  })
}
