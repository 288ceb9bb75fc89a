// What doctor says: every check's outcome, the verdict over them, as values and as text. Pure.
import { printable } from '../plain-text.ts'
import type { Facts } from './facts.ts'
import type { Check, Fault, Outcome } from './finding.ts'

/** One check, done or not. The shape `doctor --json` prints. */
export interface CheckReport {
  readonly name: string
  readonly about: string
  readonly level: 'ok' | 'warn' | 'bad' | 'not checked'
  /** What was seen when ok, why it was not checked, else empty. */
  readonly note: string
  readonly faults: readonly Fault[]
}

/** The state in a word, and the exit status for it: those of `flanneld status`. */
const CODES = { whole: 0, degraded: 1, broken: 2, 'not running': 3 } as const
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
  return made.some(({ name, level }) => settling.has(name) && (level === 'warn' || level === 'bad'))
}

/** Makes the checks. */
export function judge(checks: readonly Check[], facts: Facts): DoctorReport {
  const made = checks
    .filter(({ ofPeer }) => facts.target === undefined || ofPeer)
    .map(({ name, about, run }) => ({ name, about, ...toldOf(run(facts)) }))
  const word = wordOf(facts, made)
  return { verdict: word, code: CODES[word], peer: facts.target?.subnet ?? null, checks: made }
}

function wordOf({ daemon }: Facts, made: readonly CheckReport[]): Word {
  if (daemon.state === 'absent') return 'not running'
  if (made.some(({ level }) => level === 'bad')) return 'broken'
  return made.some(({ level }) => level === 'warn') ? 'degraded' : 'whole'
}

function toldOf(outcome: Outcome): Pick<CheckReport, 'level' | 'note' | 'faults'> {
  if ('seen' in outcome) return { level: 'ok', note: outcome.seen, faults: [] }
  if ('unchecked' in outcome) return { level: 'not checked', note: outcome.unchecked, faults: [] }
  const bad = outcome.faults.some(({ level }) => level === 'bad')
  return { level: bad ? 'bad' : 'warn', note: '', faults: outcome.faults }
}

/** The text a person reads: the verdict, what is wrong, what could not be looked at, what is well. */
export function render({ verdict, peer, checks }: DoctorReport, all: boolean): string {
  const of = (...levels: CheckReport['level'][]): readonly CheckReport[] =>
    checks.filter(({ level }) => levels.includes(level))
  const wrong = [...of('bad'), ...of('warn')]
  const counts = [
    `${of('bad').length} bad`,
    `${of('warn').length} warnings`,
    `${of('not checked').length} not checked`,
    `${of('ok').length} ok`,
  ]
  const lines = [`${verdict}   ${peer === null ? '' : `peer ${peer} · `}${counts.join(' · ')}`]
  for (const { name, faults } of wrong) {
    for (const { level, cause, fix, proof } of faults) {
      lines.push('', `${level === 'bad' ? 'BAD' : 'WARN'}  ${name}: ${cause}`, `  fix    ${fix}`, `  seen   ${proof}`)
    }
  }
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
