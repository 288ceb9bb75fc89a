// The refused leases that do no harm, as one standing note. Those that are a fault stand in the status by
// themselves, with the peers in trouble.
import type { Conditions } from '../health/conditions.ts'
import type { LeaseStats } from '../lease/stats.ts'
import { printable } from '../text/plain-text.ts'

/** The condition's code. */
const CODE = 'leases-refused'
/** The most leases that are named. */
const NAMED = 3

export class RefusedLeases {
  readonly #leaseStats: LeaseStats
  readonly #conditions: Conditions
  #known = 0

  constructor(leaseStats: LeaseStats, conditions: Conditions) {
    this.#leaseStats = leaseStats
    this.#conditions = conditions
  }

  /** Passes a step to the lease statistics and updates the condition when the refused leases changed. */
  take(...step: Parameters<LeaseStats['take']>): void {
    this.#leaseStats.take(...step)
    const newly = step[3].refused.length
    const { size } = this.#leaseStats.refused
    if (newly === 0 && size === this.#known) return
    this.#known = size
    const harmless = [...this.#leaseStats.unbelieved].filter(([, { level }]) => level === 'warning')
    if (harmless.length === 0) return void this.#conditions.clear(CODE)
    const named = harmless.slice(0, NAMED).map(([key, { text }]) => printable(`${nameOf(key)} (${text.slice(0, 60)})`))
    const more = harmless.length > NAMED ? ` and ${harmless.length - NAMED} more` : ''
    const gist = harmless.length === 1 ? '1 lease refused' : `${harmless.length} leases refused`
    const text = `${gist}, nothing is sent there: ${named.join(', ')}${more}`
    this.#conditions.set(CODE, { level: 'warning', gist, text, run: 'flanneld leases' })
  }
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).slice(0, 60)
}
