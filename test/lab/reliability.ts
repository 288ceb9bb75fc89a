// The figures of docs/reliability.md, as measured by the tests of faults: build/reliability.json, a row per fault.
// Invariant: rows of one run replace those of the run before by name; tests that run side by side do not lose rows.
import { mkdirSync, readFileSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './flanneld.ts'
import { waitFor } from './wait.ts'

/** One fault. */
export interface Fault {
  /** What was done, "route deleted (vxlan)". */
  readonly fault: string
  /** What is promised, "whole within 1 s". */
  readonly promise: string
  /** Milliseconds until that was so; undefined where something is counted instead. */
  readonly ms?: number
  /** What else was measured, "no packet lost". */
  readonly result?: string
  /** The test's title. */
  readonly test: string
}

const PATH = join(ROOT, 'build/reliability.json')
const LOCK = `${PATH}.lock`

/** Notes what was measured. */
export async function record(fault: Fault): Promise<void> {
  mkdirSync(join(ROOT, 'build'), { recursive: true })
  await waitFor('the lock of reliability.json', lock)
  try {
    const others = read().filter((row) => row.fault !== fault.fault)
    const rows = [...others, fault].toSorted((a, b) => a.test.localeCompare(b.test))
    writeFileSync(`${PATH}.new`, `${JSON.stringify(rows, undefined, 2)}\n`)
    renameSync(`${PATH}.new`, PATH)
  } finally {
    rmdirSync(LOCK)
  }
}

function read(): readonly Fault[] {
  try {
    return JSON.parse(readFileSync(PATH, 'utf8')) as readonly Fault[]
  } catch {
    return []
  }
}

/** Whether the lock is ours; one left by a test that was killed is broken. */
function lock(): boolean {
  try {
    mkdirSync(LOCK)
    return true
  } catch {
    const made = statSync(LOCK, { throwIfNoEntry: false })
    if (made !== undefined && Date.now() - made.mtimeMs > 5000) rmdirSync(LOCK)
    return false
  }
}
