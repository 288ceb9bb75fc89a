// How often what the firewall holds was brought in line with what is wanted: transactions written, attempts that failed.
import { Counter } from '../counters.ts'

/** A pass that found all right counts as neither. */
export type Syncs = Counter<'written' | 'failed'>

export function countSyncs(): Syncs {
  return new Counter(['written', 'failed'])
}
