// Scraping a daemon in the lab, and finding a sample in what it said.
import { askHealthPort } from './health-port.ts'
import type { Place } from '../world/space.ts'

/** One scrape. */
export interface Scrape {
  /** As it came. */
  readonly text: string
  /** The value of a series, written as in the text: `flannel_peers{state="up"}`. */
  value(series: string): number | undefined
  /** Names of the series there are, without labels. */
  readonly names: ReadonlySet<string>
}

/** Asks the health port. */
export async function scrape(host: Place, port = 9000): Promise<Scrape> {
  const { status, text } = await askHealthPort(host, '/metrics', port)
  if (status !== 200) throw new Error(`/metrics: ${status}: ${text}`)
  return scrapeOf(`${text}\n`)
}

/** Reads a scrape. */
export function scrapeOf(text: string): Scrape {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const values = new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const),
  )
  return {
    text,
    value: (series) => values.get(series),
    names: new Set(lines.map((line) => /^[a-z_]+/.exec(line)?.[0] ?? '')),
  }
}
