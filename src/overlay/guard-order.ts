// When the guard of the VXLAN port changes, and when the device does: the guard is there before the device takes a packet,
// and goes after it. Invariant: a port that is open to us is at no moment open to all because of a change of ours.
import { setTimeout as pause } from 'node:timers/promises'
import type { Guard } from '../firewall/nftables/guard.ts'
import type { GuardedPort } from '../firewall/nftables/guard-ruleset.ts'
import { Senders } from '../firewall/nftables/senders.ts'

/** Where a device of ours receives. */
export interface Receiving {
  readonly port: number
  readonly vni: number
}

/** Between two changes, so that a burst of peers is a few of them. Milliseconds. */
const PAUSE_MS = 20

export class GuardOrder {
  /** The public addresses of all peers. */
  readonly senders = new Senders()
  readonly #guard: Guard
  /** Where devices of earlier runs receive. */
  readonly #standing: readonly Receiving[]
  #wish: GuardedPort | undefined
  #complete = false

  constructor(guard: Guard, standing: readonly Receiving[]) {
    this.#guard = guard
    this.#standing = standing
  }

  /** The peers are known. */
  complete(): void {
    this.#complete = true
  }

  /**
   * Before devices change: guards the place the new one will receive at, and still that of the old one. Where a device of an
   * earlier run goes on, its guard stays as it is until the peers are known: an empty one would shut out every peer.
   * Undefined when there is nothing to wait for: devices may change at once.
   */
  ahead(next: GuardedPort | undefined): Promise<void> | undefined {
    if (next === undefined) return undefined
    const before = this.#wish === undefined ? this.#standing : [this.#wish, ...(this.#wish.leaving ?? [])]
    const goesOn = before.some((one) => isSame(one, next))
    this.#wish = { ...next, leaving: before.filter((one) => !isSame(one, next)) }
    if (goesOn) return undefined
    this.#guard.want([{ ...this.#wish, peers: this.senders }])
    return this.#guard.settled()
  }

  /** Devices are as wanted: nothing else is guarded from now on. */
  behind(next: GuardedPort | undefined): void {
    this.#wish = next
  }

  /** Makes the guard let in the peers there are. */
  async refresh(): Promise<void> {
    if (!this.#complete) return
    this.#guard.want(this.#wish === undefined ? [] : [{ ...this.#wish, peers: this.senders }])
    await this.#guard.settled()
    await pause(PAUSE_MS, undefined, { ref: false })
  }
}

function isSame(one: Receiving, other: Receiving): boolean {
  return one.port === other.port && one.vni === other.vni
}
