// The figures of docs/reliability.md, as measured by the tests of faults: build/reliability.json, a row per fault.
// A test asserts the outcome, whenever it comes; whether it came in the time promised is a figure, which scripts/reliability.ts
// holds against the promise. A busy machine makes everything slower: each figure comes with how slow the machine was.
// Invariant: rows of one run replace those of the run before, by name; parallel tests lose no rows.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../actors/flanneld.ts'
import { waitFor } from './wait.ts'

/** One fault. */
export interface Fault {
  /** What was done, "route deleted (vxlan)". */
  readonly fault: string
  /** What is promised, "repaired within 1 s". */
  readonly promise: string
  /** Milliseconds until that was so; undefined where something is counted instead. */
  readonly ms?: number
  /** Milliseconds promised for it. */
  readonly limit?: number
  /** What else was measured, "no packet lost". */
  readonly result?: string
  /** The test's title. */
  readonly test: string
}

const PATH = join(ROOT, 'build/reliability.json')
const LOCK = `${PATH}.lock`

/** A row as it is kept: with the reference, in milliseconds, where a time was promised. */
export interface Row extends Fault {
  readonly reference?: number
}

/** How many programs the reference starts, one after the other. */
const STARTS = 10

/** Milliseconds that this machine needs, at this moment, to start some programs: what a busy one needs more of. */
function reference(): number {
  const began = performance.now()
  for (let i = 0; i < STARTS; i++) spawnSync('true')
  return performance.now() - began
}

/** Notes what was measured. */
export async function record(measured: Fault): Promise<void> {
  const fault: Row = measured.limit === undefined ? measured : { ...measured, reference: Math.round(reference()) }
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

function read(): readonly Row[] {
  try {
    return JSON.parse(readFileSync(PATH, 'utf8')) as readonly Row[]
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
