// `node bench/run.ts [--quick] [NAME...]`: measures all, or what is named, and prints a table. A whole run at full size is
// kept in bench/results/latest.json and docs/performance.md. The exit status is non-zero only when a measurement itself failed.
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../test/lab/actors/flanneld.ts'
import { BETWEEN_HOSTS, backends } from './backends.ts'
import { block } from './block.ts'
import { churn } from './churn.ts'
import { converge } from './converge.ts'
import { crowd } from './crowd.ts'
import { effort } from './effort.ts'
import { type Figure, type Measurement, goalText, ratioOf, verdict } from './figure.ts'
import { latency } from './latency.ts'
import { machineLine } from './machine.ts'
import { memory } from './memory.ts'
import { renewals } from './renewals.ts'
import { rest } from './rest.ts'
import { start } from './start.ts'
import { streams } from './streams.ts'
import { textTable, withCosts, withFigures } from './table.ts'

const ALL: readonly Measurement[] = [
  start,
  converge,
  latency,
  memory,
  churn,
  effort,
  rest,
  block,
  renewals,
  crowd,
  streams,
  backends,
]

const words = process.argv.slice(2)
const quick = words.includes('--quick')
const names = words.filter((word) => !word.startsWith('--'))
const unknown = names.filter((name) => !ALL.some((one) => one.name === name))
if (unknown.length > 0)
  throw new Error(`bench: ${unknown.join(', ')}: not among ${ALL.map(({ name }) => name).join(', ')}`)

const load = loadavg()[0] ?? 0
const figures: Figure[] = []
const failed: string[] = []
for (const measurement of ALL.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const began = performance.now()
  try {
    const found = await measurement.measure(quick)
    figures.push(...found)
    process.stderr.write(`${measurement.name}: ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
    if (names.length > 0) process.stderr.write(`${textTable(found)}\n`)
  } catch (error) {
    failed.push(measurement.name)
    process.stderr.write(
      `${measurement.name}: failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
  }
}
const machine = machineLine(load)
process.stdout.write(`\n${textTable(figures)}\n\n${machine}\n`)
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(', ')}\n`)
else if (names.length === 0 && !quick) keep()
else if (names.join() === backends.name && !quick) keepCosts(figures)
// Not left to the event loop: what a failed measurement left waiting would hold it up.
process.exit(failed.length > 0 ? 1 : 0)

function keep(): void {
  const rows = figures.map((figure) => ({
    ...figure,
    ratio: ratioOf(figure),
    goalText: goalText(figure),
    verdict: verdict(figure),
  }))
  writeFileSync(
    join(ROOT, 'bench/results/latest.json'),
    `${JSON.stringify({ machine, figures: rows }, undefined, 2)}\n`,
  )
  const page = join(ROOT, 'docs/performance.md')
  const costs = figures.filter(({ limitIs }) => limitIs === BETWEEN_HOSTS)
  const others = figures.filter((figure) => !costs.includes(figure))
  writeFileSync(page, withFigures(readFileSync(page, 'utf8'), others, machine))
  keepCosts(costs)
}

function keepCosts(costs: readonly Figure[]): void {
  const page = join(ROOT, 'docs/backends.md')
  writeFileSync(page, withCosts(readFileSync(page, 'utf8'), costs, machine))
}
