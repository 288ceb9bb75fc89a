// Writes the table of docs/reliability.md, and ends with 1 where a promised time was not kept: `node scripts/reliability.ts`.
// What was measured comes from build/reliability.json, which the tests of faults write. A time is compared with its
// promise as a ratio: on a machine that took longer than a quiet one to start some programs, right after, everything else
// may take longer by the same factor.
import { readFileSync, writeFileSync } from 'node:fs'

interface Row {
  readonly fault: string
  readonly promise: string
  readonly ms?: number
  readonly limit?: number
  readonly reference?: number
  readonly result?: string
  readonly test: string
}

const DOCUMENT = 'docs/reliability.md'
/** What the reference of test/lab/instruments/reliability.ts takes on two quiet cores. Milliseconds. */
const QUIET_MS = 25
const rows = JSON.parse(readFileSync('build/reliability.json', 'utf8')) as readonly Row[]

/** The part of the promised time that was used, on a machine as slow as it was; undefined where no time was promised. */
function used({ ms, limit, reference = 0 }: Row): number | undefined {
  if (ms === undefined || limit === undefined) return undefined
  return ms / limit / Math.max(1, reference / QUIET_MS)
}

function measured(): string {
  const lines = rows
    .toSorted((a, b) => a.fault.localeCompare(b.fault))
    .map((row) => {
      const { fault, promise, ms, result, test } = row
      const part = used(row)
      const ratio = part === undefined ? '' : ` (${part.toFixed(2)} of it)`
      const figures = [ms === undefined ? [] : `${Math.round(ms)} ms${ratio}`, result ?? []].flat().join('; ')
      return `| ${fault} | ${promise} | ${figures} | ${test} |`
    })
  return ['| What is done | What is promised | Measured | Test |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: made by scripts/reliability.ts -->`, `<!-- end of ${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < 0) throw new Error(`${DOCUMENT}: the marks of ${name} are missing`)
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`
}

const text = readFileSync(DOCUMENT, 'utf8')
writeFileSync(DOCUMENT, replaceBetween(text, 'measured', measured()))

const late = rows.filter((row) => (used(row) ?? 0) > 1)
for (const { fault, promise, ms, reference } of late) {
  process.stderr.write(
    `${fault}: ${promise}, not ${ms} ms (reference ${reference} ms, ${QUIET_MS} on a quiet machine)\n`,
  )
}
process.exitCode = late.length === 0 ? 0 : 1
