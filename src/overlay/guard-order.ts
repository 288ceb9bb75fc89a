// The order in which the guard and the devices of the overlay change: the guard is in place before a device receives a packet, and
// is removed after the device. Invariant: no change of ours ever opens a port to everyone.
import { setTimeout as pause } from 'node:timers/promises'
import type { Guard } from '../firewall/nftables/guard.ts'
import { type Arrival, sameArrival } from '../firewall/nftables/arrival.ts'
import type { Guarded } from '../firewall/nftables/guard-ruleset.ts'
import { Senders } from '../firewall/nftables/senders.ts'

/** Between two changes of the guard, so that a burst of peers costs only a few. Milliseconds. */
const PAUSE_MS = 20

export class GuardOrder {
  /** The public addresses of all peers. */
  readonly senders = new Senders()
  readonly #guard: Guard
  /** How packets arrive at devices of earlier runs. */
  readonly #standing: readonly Arrival[]
  #wish: Guarded | undefined
  #complete = false

  constructor(guard: Guard, standing: readonly Arrival[]) {
    this.#guard = guard
    this.#standing = standing
  }

  /** The peers are known. */
  complete(): void {
    this.#complete = true
  }

  /**
   * Call it before devices change: guards the new devices, and still the old ones. Where devices of an earlier run are kept, their
   * guard stays unchanged until the peers are known: an empty one would shut out every peer.
   * Undefined when there is nothing to wait for: devices may change at once.
   */
  ahead(next: Guarded | undefined): Promise<void> | undefined {
    if (next === undefined) return undefined
    const before =
      this.#wish === undefined ? this.#standing : [...arrivalsOf(this.#wish), ...(this.#wish.leaving ?? [])]
    const after = arrivalsOf(next)
    this.#wish = { ...next, leaving: before.filter((one) => !has(after, one)) }
    if (after.every((one) => has(before, one))) return undefined
    this.#guard.want([{ ...this.#wish, peers: this.senders }])
    return this.#guard.settled()
  }

  /** Call it once devices are as wanted: only this is guarded from now on. */
  behind(next: Guarded | undefined): void {
    this.#wish = next
  }

  /** Lets in the current peers. */
  async refresh(): Promise<void> {
    if (!this.#complete) return
    this.#guard.want(this.#wish === undefined ? [] : [{ ...this.#wish, peers: this.senders }])
    await this.#guard.settled()
    await pause(PAUSE_MS, undefined, { ref: false })
  }
}

function arrivalsOf({ devices }: Guarded): readonly Arrival[] {
  return devices.map(({ arrival }) => arrival)
}

function has(all: readonly Arrival[], one: Arrival): boolean {
  return all.some((other) => sameArrival(one, other))
}
