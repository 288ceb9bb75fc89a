// What doctor says: every check's outcome, the verdict over them, as values and as text. Pure.
import type { Level } from '../health/conditions.ts'
import { printable } from '../text/plain-text.ts'
import type { Facts } from './facts.ts'
import { type Check, type Fault, type Outcome, counted } from './finding.ts'

/** One check, done or not. The shape `doctor --json` prints. */
interface CheckReport {
  readonly name: string
  readonly about: string
  /** That of the worst it found. */
  readonly level: 'ok' | Level | 'not checked'
  /** What was seen when ok, why it was not checked, else empty. */
  readonly note: string
  readonly faults: readonly Fault[]
}

/** The state in a word, and the exit status for it: those of `flanneld status`. */
const CODES = { healthy: 0, degraded: 1, broken: 2, 'not running': 3 } as const
type Word = keyof typeof CODES

/** All of them. */
export interface DoctorReport {
  readonly verdict: Word
  /** Exit status. */
  readonly code: (typeof CODES)[Word]
  /** The subnet it is about; null for all, or when nobody has leased it. */
  readonly peer: string | null
  readonly checks: readonly CheckReport[]
}

/** Whether something was found that may be right a moment later. */
export function mayBeOnItsWay(checks: readonly Check[], { checks: made }: DoctorReport): boolean {
  const settling = new Set(checks.flatMap(({ name, settles }) => (settles === true ? [name] : [])))
  return made.some(({ name, faults }) => settling.has(name) && faults.length > 0)
}

/** Makes the checks. */
export function judge(checks: readonly Check[], facts: Facts): DoctorReport {
  const made = checks
    .filter(({ ofPeer }) => facts.target === undefined || ofPeer)
    .map(({ name, about, run }) => ({ name, about, ...toldOf(run(facts)) }))
  const word = wordOf(facts, made)
  return { verdict: word, code: CODES[word], peer: facts.target?.subnet ?? null, checks: made }
}

/** The worst first. */
const WORST: readonly Level[] = ['fault', 'warning', 'note']

function wordOf({ daemon }: Facts, made: readonly CheckReport[]): Word {
  if (daemon.state === 'absent') return 'not running'
  if (made.some(({ faults }) => faults.some(({ stops }) => stops === true))) return 'broken'
  return made.some(({ level }) => level === 'fault') ? 'degraded' : 'healthy'
}

function toldOf(outcome: Outcome): Pick<CheckReport, 'level' | 'note' | 'faults'> {
  if ('seen' in outcome) return { level: 'ok', note: outcome.seen, faults: [] }
  if ('unchecked' in outcome) return { level: 'not checked', note: outcome.unchecked, faults: [] }
  const worst = WORST.find((level) => outcome.faults.some((fault) => fault.level === level))
  return { level: worst ?? 'note', note: '', faults: outcome.faults }
}

/** The text a person reads: the verdict, what is wrong, what could not be looked at, what is well. */
export function render({ verdict, peer, checks }: DoctorReport, all: boolean): string {
  const of = (...levels: CheckReport['level'][]): readonly CheckReport[] =>
    checks.filter(({ level }) => levels.includes(level))
  const counts = [
    ...WORST.map((level) => counted(of(level).length, level)),
    `${of('not checked').length} not checked`,
    `${of('ok').length} ok`,
  ]
  const lines = [`${verdict}   ${peer === null ? '' : `peer ${peer} · `}${counts.join(' · ')}`]
  // Within a check as it tells them: what is on this host comes before what follows from it.
  for (const { name, faults } of WORST.flatMap((level) => of(level)))
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
    lines.push(`ok: ${of('ok').map(({ name }) => name).join(', ') || 'nothing'}`) // prettier-ignore
  }
  return `${lines.map((line) => printable(line)).join('\n')}\n`
}
