// How this host is doing, as the daemon tells it and as `flanneld status` shows it: values and the verdict over them. Pure.
import { show } from './kernel/show.ts'
import type { Sight } from './operator.ts'
import { ownSelf } from './host-plan.ts'

/** What the control socket answers at /v1/status. Times are milliseconds since 1970. */
export interface Status {
  readonly version: string
  readonly pid: number
  readonly since: number
  readonly interface: string
  readonly address: string
  readonly ready: boolean
  /** What is missing when not ready. */
  readonly reasons: readonly string[]
  readonly network: string
  readonly subnet: string
  readonly mtu: number
  readonly backend: string
  readonly peers: number
  readonly kernel: {
    /** Changes the kernel refuses at the moment. */
    readonly failing: number
    /** Foreign objects where ours should be. */
    readonly conflicts: readonly string[]
    /** Objects put back since the start. */
    readonly repairs: number
    /** When everything was last compared; 0 for never. */
    readonly audited: number
  }
}

/** Gathers it; undefined before there is a lease. */
export function statusOf({ version, since, overlay, readiness, reconciler }: Sight): Status | undefined {
  if (overlay === undefined) return undefined
  const { configuration, external, subnet } = overlay.inputs
  const { backend } = configuration.own
  const { report } = reconciler
  return {
    version,
    pid: process.pid,
    since,
    interface: external.name,
    address: external.publicAddress,
    ready: readiness.ready,
    reasons: readiness.reasons,
    network: configuration.range.network,
    subnet,
    mtu: backend.mtu(ownSelf(overlay.inputs)),
    backend: backend.type,
    peers: overlay.peers.size,
    kernel: {
      failing: report.failing,
      conflicts: reconciler.conflicts.map(({ found }) => show(found)),
      repairs: [...report.repairs.values()].reduce((sum, n) => sum + n, 0),
      audited: report.lastAudit,
    },
  }
}

/** The state in a word, and the exit status of `flanneld status` for it. */
export interface Verdict {
  readonly word: 'whole' | 'degraded' | 'broken' | 'not running'
  readonly code: 0 | 1 | 2 | 3
  /** What is not as it should be, each with what to do where that is known. */
  readonly reasons: readonly string[]
}

/** Judges. `docker` is what is wrong with docker0; no status: no daemon answered. */
export function verdictOf(status: Status | undefined, docker: string | undefined): Verdict {
  const bridge = docker === undefined ? [] : [docker]
  if (status === undefined) {
    return { word: 'not running', code: 3, reasons: ['no daemon answers: start flanneld', ...bridge] }
  }
  if (!status.ready) return { word: 'broken', code: 2, reasons: [...status.reasons, ...bridge] }
  const conflicts = status.kernel.conflicts.map((found) => `in our way and not ours: ${found}: remove it`)
  const reasons = [...conflicts, ...bridge]
  return reasons.length === 0 ? { word: 'whole', code: 0, reasons } : { word: 'degraded', code: 1, reasons }
}
