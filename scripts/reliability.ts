// Writes the tables of docs/reliability.md, and ends with 1 where a promised time was not kept: `node scripts/reliability.ts`.
// What was measured comes from build/reliability.json, which the tests of faults leave behind; which test proves which
// behaviour from their titles. A time is held against its promise as a ratio: where the machine took longer than a quiet one
// to start some programs, right after, all else may take longer by as much.
import { globSync, readFileSync, writeFileSync } from 'node:fs'

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

/** Titles that begin with numbers of behaviours, "D6 D7: ..." or "L5: ...", with the file they stand in. */
function proofs(): string {
  const byNumber = new Map<string, string[]>()
  for (const file of globSync('test/**/*.test.ts').toSorted()) {
    for (const [, title = ''] of readFileSync(file, 'utf8').matchAll(/test(?:\.serial)?\(\s*[`'"](.*)[`'"],\s/g)) {
      const numbers = /^((?:[DLECFP]\d{1,2}[ :,]+(?:and )?)+)/.exec(title)?.[1]?.match(/[DLECFP]\d{1,2}/g) ?? []
      for (const number of numbers) {
        byNumber.set(number, [
          ...(byNumber.get(number) ?? []),
          `${title.replaceAll(/\$\{[^}]*\}/g, '…')} (\`${file}\`)`,
        ])
      }
    }
  }
  const order = 'DLECFP'
  const sorted = [...byNumber].toSorted(
    ([a], [b]) => order.indexOf(a[0] ?? '') - order.indexOf(b[0] ?? '') || Number(a.slice(1)) - Number(b.slice(1)),
  )
  return sorted
    .map(([number, titles]) => `- **${number}**\n${titles.map((title) => `  - ${title}`).join('\n')}`)
    .join('\n')
}

function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: made by scripts/reliability.ts -->`, `<!-- end of ${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < 0) throw new Error(`${DOCUMENT}: the marks of ${name} are missing`)
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`
}

const text = readFileSync(DOCUMENT, 'utf8')
writeFileSync(DOCUMENT, replaceBetween(replaceBetween(text, 'measured', measured()), 'proofs', proofs()))

const late = rows.filter((row) => (used(row) ?? 0) > 1)
for (const { fault, promise, ms, reference } of late) {
  process.stderr.write(
    `${fault}: ${promise}, not ${ms} ms (reference ${reference} ms, ${QUIET_MS} on a quiet machine)\n`,
  )
}
process.exitCode = late.length === 0 ? 0 : 1
