// The order in which the guard of the VXLAN port and the device change: the guard is in place before the device receives a packet,
// and is removed after the device. Invariant: no change of ours ever opens a port to everyone.
import { setTimeout as pause } from 'node:timers/promises'
import type { Guard } from '../firewall/nftables/guard.ts'
import type { GuardedPort } from '../firewall/nftables/guard-ruleset.ts'
import { Senders } from '../firewall/nftables/senders.ts'

/** The port and VNI at which a device of ours receives. */
export interface Receiving {
  readonly port: number
  readonly vni: number
}

/** Between two changes of the guard, so that a burst of peers costs only a few. Milliseconds. */
const PAUSE_MS = 20

export class GuardOrder {
  /** The public addresses of all peers. */
  readonly senders = new Senders()
  readonly #guard: Guard
  /** Where the devices of earlier runs receive. */
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
   * Call it before devices change: guards the port of the new device, and still that of the old one. Where a device of an earlier
   * run is kept, its guard stays unchanged until the peers are known: an empty one would shut out every peer.
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

  /** Call it once devices are as wanted: only this is guarded from now on. */
  behind(next: GuardedPort | undefined): void {
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

function isSame(one: Receiving, other: Receiving): boolean {
  return one.port === other.port && one.vni === other.vni
}
