// A full examination: gathers the facts, runs the checks, and looks again at faults that the daemon may be about to repair.
import { setTimeout as pause } from 'node:timers/promises'
import type { Options } from '../options/type.ts'
import { CHECKS } from './checks.ts'
import type { Facts } from './facts.ts'
import { gather } from './gather.ts'
import { type DoctorReport, makeReport, mayBeOnItsWay } from './report.ts'

/** A change in progress is no fault: faults are looked at again after this time. Milliseconds. */
const SETTLE_MS = 1_500

/** Examines this host, or what there is to say about one peer. Throws OperatorError. */
export async function examine(
  options: Options,
  peer: string | undefined,
): Promise<{ readonly facts: Facts; readonly report: DoctorReport }> {
  const facts = await gather(options, peer)
  const report = makeReport(CHECKS, facts)
  if (facts.daemon.state !== 'answers' || !mayBeOnItsWay(CHECKS, report)) return { facts, report }
  await pause(SETTLE_MS)
  const again = await gather(options, peer)
  return { facts: again, report: makeReport(CHECKS, again) }
}
