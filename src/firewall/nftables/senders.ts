// The addresses that may send to us, each counted per peer that has it, and the changes since they were last taken: a peer
// that joins or leaves costs the same at any number of peers.
import type { Address } from '../../ip/address.ts'

export class Senders implements Iterable<Address> {
  readonly #times = new Map<Address, number>()
  /** For each address touched since changes were last taken: whether it was present then. */
  #before = new Map<Address, boolean>()

  /** A peer has this address from now on. */
  add(address: Address): void {
    const times = this.#times.get(address) ?? 0
    if (times === 0) this.#touch(address, false)
    this.#times.set(address, times + 1)
  }

  /** A peer no longer has this address. */
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

  /** How many addresses were added, removed or both since take or forget was last called. */
  get touched(): number {
    return this.#before.size
  }

  /** Drops the changes that take would return. */
  forget(): void {
    this.#before = new Map()
  }

  /** The addresses added and removed since take or forget was last called. */
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
