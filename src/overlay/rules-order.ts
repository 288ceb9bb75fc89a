// When the firewall gets rules: only those that differ, and at the start last of all, since starting programs takes longer than
// everything before it.
import type { Firewall } from '../firewall/firewall.ts'
import type { FirewallInput } from '../firewall/iptables/rules.ts'
import type { Readiness } from '../health/readiness.ts'

export class RulesOrder {
  readonly #firewall: Firewall
  readonly #readiness: Readiness
  #wanted: readonly FirewallInput[] | undefined

  constructor(firewall: Firewall, readiness: Readiness) {
    this.#firewall = firewall
    this.#readiness = readiness
  }

  /** Whether rules were wanted already. */
  get begun(): boolean {
    return this.#wanted !== undefined
  }

  /** Wants these rules; whether they differ from those before. Equal ones are the same object (keepEqual). */
  want(rules: readonly FirewallInput[]): boolean {
    if (rules === this.#wanted) return false
    this.#wanted = rules
    this.#firewall.want(rules)
    // Ready once they were tried: a host without iptables has its traffic too. The firewall reports its failures itself.
    void this.#firewall.settled().then(() => {
      this.#readiness.good('firewall')
    })
    return true
  }

  settled(): Promise<void> {
    return this.#firewall.settled()
  }
}
