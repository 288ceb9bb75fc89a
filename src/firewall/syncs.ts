// How often the firewall was changed to what is wanted: transactions written, attempts that failed.
import { Counter } from '../counters.ts'

/** A pass that found no difference counts as neither. */
export type Syncs = Counter<'written' | 'failed'>

export function countSyncs(): Syncs {
  return new Counter(['written', 'failed'])
}
