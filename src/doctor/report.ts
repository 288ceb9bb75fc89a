// Doctor's report: every check's outcome and the verdict over them, as values and as text. Pure.
import { LEVELS, type Level } from '../health/conditions.ts'
import { printable } from '../text/plain-text.ts'
import type { Facts } from './facts.ts'
import { EXIT_STATUS, type Word } from '../view/verdict.ts'
import { counted } from '../text/counted.ts'
import { type Check, type Fault, type CheckOutcome } from './finding.ts'

/** One check, done or not. The shape `doctor --json` prints. */
export interface CheckReport {
  readonly name: string
  readonly about: string
  /** That of the worst it found. */
  readonly level: 'ok' | Level | 'not checked'
  /** What was seen when ok, why it was not checked, else empty. */
  readonly note: string
  readonly faults: readonly Fault[]
}

/** All of them. */
export interface DoctorReport {
  readonly verdict: Word
  /** Exit status. */
  readonly code: (typeof EXIT_STATUS)[Word]
  /** The subnet it is about; null for all, or when no host has leased it. */
  readonly peer: string | null
  readonly checks: readonly CheckReport[]
}

/** Whether a finding may be repaired a moment later. */
export function mayBeOnItsWay(checks: readonly Check[], { checks: made }: DoctorReport): boolean {
  const settling = new Set(checks.flatMap(({ name, settles }) => (settles === true ? [name] : [])))
  return made.some(({ name, faults }) => settling.has(name) && faults.length > 0)
}

/** The outcome of one check as reported. */
export function reportOf({ name, about }: Check, outcome: CheckOutcome): CheckReport {
  return { name, about, ...reportedOf(outcome) }
}

/** Makes the checks. */
export function makeReport(checks: readonly Check[], facts: Facts): DoctorReport {
  const made = checks
    .filter(({ ofPeer }) => facts.target === undefined || ofPeer)
    .map((check) => reportOf(check, check.run(facts)))
  const word = wordOf(facts, made)
  return { verdict: word, code: EXIT_STATUS[word], peer: facts.target?.subnets[0] ?? null, checks: made }
}

function wordOf({ daemon }: Facts, made: readonly CheckReport[]): Word {
  if (daemon.state === 'absent') return 'not running'
  if (made.some(({ faults }) => faults.some(({ stops }) => stops === true))) return 'broken'
  return made.some(({ level }) => level === 'fault') ? 'degraded' : 'healthy'
}

function reportedOf(outcome: CheckOutcome): Pick<CheckReport, 'level' | 'note' | 'faults'> {
  if ('seen' in outcome) return { level: 'ok', note: outcome.seen, faults: [] }
  if ('unchecked' in outcome) return { level: 'not checked', note: outcome.unchecked, faults: [] }
  const worst = LEVELS.find((level) => outcome.faults.some((fault) => fault.level === level))
  return { level: worst ?? 'note', note: '', faults: outcome.faults }
}

/** The text a person reads: the verdict, what is wrong, what could not be looked at, what is well. */
export function renderReport({ verdict, peer, checks }: DoctorReport, all: boolean): string {
  const of = (...levels: CheckReport['level'][]): readonly CheckReport[] =>
    checks.filter(({ level }) => levels.includes(level))
  const counts = [
    ...LEVELS.map((level) => counted(of(level).length, level)),
    `${of('not checked').length} not checked`,
    `${of('ok').length} ok`,
  ]
  const lines = [`${verdict}   ${peer === null ? '' : `peer ${peer} · `}${counts.join(' · ')}`]
  // Within a check in its own order: what is on this host comes before what follows from it.
  for (const { name, faults } of LEVELS.flatMap((level) => of(level)))
    for (const { level, cause, fix, proof } of faults)
      lines.push('', `${level.toUpperCase()}  ${name}: ${cause}`, `  fix    ${fix}`, `  seen   ${proof}`)
  const width = Math.max(...checks.map(({ name }) => name.length))
  const unchecked = of('not checked')
  if (unchecked.length > 0) lines.push('')
  for (const { name, note } of unchecked) lines.push(`not checked  ${name.padEnd(width)}  ${note}`)
  lines.push('')
  if (all) {
    for (const { name, note, about } of of('ok')) lines.push(`ok  ${name.padEnd(width)}  ${about}: ${note}`)
  } else {
    lines.push(
      `ok: ${
        of('ok')
          .map(({ name }) => name)
          .join(', ') || 'nothing'
      }`,
    )
  }
  return `${lines.map((line) => printable(line)).join('\n')}\n`
}
