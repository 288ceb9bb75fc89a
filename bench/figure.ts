// A figure we publish: what was measured, with its limit from the same run and the goal we set.
// Invariant: a missed goal is a result like any other; only a measurement that went wrong throws.

/** What a goal bounds: the figure itself, or its ratio to the limit. */
export type Goal =
  | { readonly of: 'measured' | 'ratio'; readonly most: number }
  | { readonly of: 'measured' | 'ratio'; readonly least: number }

/** One line of the table. */
export interface Figure {
  readonly what: string
  /** The size or the case. */
  readonly at: string
  readonly unit: string
  readonly measured: number
  /** The same done with nothing of ours in the way, in the same run and unit. */
  readonly limit?: number
  readonly limitIs?: string
  readonly goal?: Goal
}

/** A set of figures that are measured together. */
export interface Measurement {
  readonly name: string
  /** Rejects when the measurement itself failed. `quick`: at smaller sizes, fewer times. */
  measure(quick: boolean): Promise<readonly Figure[]>
}

/** Measured over limit; undefined without a limit. */
export function ratioOf({ measured, limit }: Figure): number | undefined {
  return limit === undefined || limit === 0 ? undefined : measured / limit
}

/** "met", "misses by 12%", or "" where there is no goal. */
export function verdict(figure: Figure): string {
  const { goal } = figure
  if (goal === undefined) return ''
  const value = goal.of === 'measured' ? figure.measured : (ratioOf(figure) ?? 0)
  const bound = 'most' in goal ? goal.most : goal.least
  if ('most' in goal ? value <= bound : value >= bound) return 'met'
  return bound === 0 ? `misses by ${number(value)}` : `misses by ${number((Math.abs(value - bound) / bound) * 100)}%`
}

/** "at most 2 x", "at most 60 MB". */
export function goalText({ goal, unit }: Figure): string {
  if (goal === undefined) return ''
  const [word, bound] = 'most' in goal ? ['at most', goal.most] : ['at least', goal.least]
  return `${word} ${bound}${goal.of === 'ratio' ? ' x' : spaced(unit)}`
}

/** A number with its unit. */
export function withUnit(value: number, unit: string): string {
  return `${number(value)}${spaced(unit)}`
}

/** Three digits, as many as mean something. */
export function number(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? value.toFixed(0)
    : value.toPrecision(3).replace(/\.?0+$/, '')
}

function spaced(unit: string): string {
  return unit === '' || unit.startsWith('%') ? unit : ` ${unit}`
}
