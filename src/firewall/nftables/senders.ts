// The addresses that may send to us, each as often as a peer has it, with what changed since it was last asked: so that a
// peer that comes or goes costs the same however many there are.
import type { Address } from '../../ip/address.ts'

export class Senders implements Iterable<Address> {
  readonly #times = new Map<Address, number>()
  /** Whether an address was there when changes were last taken; only of those touched since. */
  #before = new Map<Address, boolean>()

  /** A peer has this address from now on. */
  add(address: Address): void {
    const times = this.#times.get(address) ?? 0
    if (times === 0) this.#touch(address, false)
    this.#times.set(address, times + 1)
  }

  /** A peer has it no longer. */
  remove(address: Address): void {
    const times = this.#times.get(address) ?? 0
    if (times > 1) this.#times.set(address, times - 1)
    else if (this.#times.delete(address)) this.#touch(address, true)
  }

  /** Makes it exactly these, once each. */
  become(addresses: Iterable<Address>): void {
    const wanted = new Set(addresses)
    for (const address of [...this.#times.keys()]) {
      if (wanted.has(address)) this.#times.set(address, 1)
      else if (this.#times.delete(address)) this.#touch(address, true)
    }
    for (const address of wanted) if (!this.#times.has(address)) this.add(address)
  }

  /** Whether a peer has this address. */
  has(address: Address): boolean {
    return this.#times.has(address)
  }

  [Symbol.iterator](): Iterator<Address> {
    return this.#times.keys()
  }

  /** How many addresses came, went or did both since take or forget was last called. */
  get touched(): number {
    return this.#before.size
  }

  /** As take, where what changed does not matter. */
  forget(): void {
    this.#before = new Map()
  }

  /** What came and went since this was last called. */
  take(): { readonly added: readonly Address[]; readonly removed: readonly Address[] } {
    const added: Address[] = []
    const removed: Address[] = []
    for (const [address, was] of this.#before) {
      if (was === this.#times.has(address)) continue
      if (was) removed.push(address)
      else added.push(address)
    }
    this.#before = new Map()
    return { added, removed }
  }

  #touch(address: Address, was: boolean): void {
    if (!this.#before.has(address)) this.#before.set(address, was)
  }
}
