// The verdict over a host: in a word, with what is wrong and what to run next. Pure.
import type { Status } from './status-shape.ts'
import type { Level } from '../health/conditions.ts'
import { counted } from '../text/counted.ts'
import { type Reason, type ReasonSource, type Remark, faultsOf, missing, remarksOf, statusReasons } from './reasons.ts'

/** What an examination of the host found that the daemon's own state does not show. */
export interface Finding extends Reason {
  readonly level: Level
  /** Of a fault: traffic stops by it, or will. The host is broken then, not degraded. */
  readonly stops: boolean
  /** The code under which the daemon may report the same by itself: it is listed once. */
  readonly same: string | undefined
}

/** The words of a verdict with the exit status of `flanneld status` and `flanneld doctor` for each. */
export const EXIT_STATUS = { healthy: 0, degraded: 1, broken: 2, 'not running': 3 } as const

/** The state in a word. */
export type Word = keyof typeof EXIT_STATUS

/** The state in a word, why, and the exit status of `flanneld status`. */
export interface Verdict {
  readonly word: Word
  readonly code: (typeof EXIT_STATUS)[Word]
  /** The state in a few words more. */
  readonly summary: string
  readonly reasons: readonly Reason[]
  /** What an operator should know of though the word is the same with it: warnings, then notes. */
  readonly remarks: readonly Remark[]
}

/** Judges a running daemon. `docker` is what is wrong with docker0, `now` in milliseconds since 1970. */
export function verdictOf(status: Status, docker: string | undefined, now = Date.now()): Verdict {
  const broken = status.ready ? [] : missing(status)
  const reasons = [...broken, ...statusReasons(status, now), ...bridgeReasons(docker)]
  const remarks = remarksOf(status.conditions)
  if (broken.length > 0) return verdict('broken', reasons, remarks)
  // Every peer silent at once is this host's own trouble.
  const cutOff = status.peers.total > 1 && status.peers.unreachable === status.peers.total
  if (cutOff) return { ...verdict('broken', reasons, remarks), summary: 'no peer is reachable' }
  if (reasons.length > 0) return verdict('degraded', reasons, remarks)
  return { ...verdict('healthy', reasons, remarks), summary: counted(status.peers.total, 'peer') }
}

/** The verdict with findings: faults are reasons and make it worse, the others are remarks and leave it as it is. */
export function withFindings(before: Verdict, findings: readonly Finding[]): Verdict {
  const known = new Set([...before.reasons, ...before.remarks].map(({ code }) => code))
  const found = findings.filter(({ same }) => same === undefined || !known.has(same))
  const faults = found.filter(({ level }) => level === 'fault')
  const remarks = [...before.remarks, ...found.flatMap(remarkOf)]
  if (faults.length === 0) return { ...before, remarks }
  const reasons = [...before.reasons, ...faults.map(({ code, gist, text, run }) => ({ code, gist, text, run }))]
  const word = before.word === 'broken' || faults.some(({ stops }) => stops) ? 'broken' : 'degraded'
  return verdict(word, reasons, remarks)
}

function remarkOf({ level, code, text, run }: Finding): readonly Remark[] {
  return level === 'fault' ? [] : [{ code, level, text, run }]
}

/** The verdict over a daemon that has just started and has not examined its host yet. */
export function startingVerdict(source: ReasonSource): Verdict {
  const remarks = remarksOf(source.conditions)
  if (source.unready.length > 0) return verdict('broken', missing(source), remarks)
  const faults = faultsOf(source.conditions)
  return verdict(faults.length > 0 ? 'degraded' : 'healthy', faults, remarks)
}

/** The verdict where no daemon answers. */
export function absentVerdict(docker: string | undefined): Verdict {
  const summary = 'no daemon answers'
  const down: Reason = { code: 'no-daemon', gist: '', text: summary, run: 'systemctl start flanneld' }
  return { ...verdict('not running', [down, ...bridgeReasons(docker)], []), summary }
}

/** The verdict over a daemon that runs but does not answer. */
export function silentVerdict(why: string): Verdict {
  const gist = 'the daemon does not answer'
  return verdict('broken', [{ code: 'daemon-silent', gist, text: why, run: 'journalctl -u flanneld' }], [])
}

function bridgeReasons(docker: string | undefined): readonly Reason[] {
  return docker === undefined ? [] : [{ code: 'docker0', gist: 'docker0 is stale', text: docker, run: null }]
}

function verdict(word: Word, reasons: readonly Reason[], remarks: readonly Remark[]): Verdict {
  return { word, code: EXIT_STATUS[word], summary: summaryOf(reasons), reasons, remarks }
}

/** The state in a few words: those of the first two reasons. */
function summaryOf(reasons: readonly Reason[]): string {
  const gists = new Set(reasons.map(({ gist }) => gist).filter((gist) => gist !== ''))
  return [...gists].slice(0, 2).join(', ')
}
