// When the firewall gets rules: only when they differ, and at the start last of all, since starting programs takes longer than the
// rest of the start.
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

  /** Whether rules were given before. */
  get begun(): boolean {
    return this.#wanted !== undefined
  }

  /** Gives these rules to the firewall. Returns whether they differ from the last ones: equal rules are the same object (keepEqual). */
  want(rules: readonly FirewallInput[]): boolean {
    if (rules === this.#wanted) return false
    this.#wanted = rules
    this.#firewall.want(rules)
    // Ready once they were tried: a host without iptables carries traffic too. The firewall reports its failures itself.
    void this.#firewall.settled().then(() => {
      this.#readiness.good('firewall')
    })
    return true
  }

  settled(): Promise<void> {
    return this.#firewall.settled()
  }
}
