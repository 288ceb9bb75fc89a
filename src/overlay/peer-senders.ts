// The source addresses of peers' outer packets: the public address of each lease, and the source address it may name. Pure.
import type { Peer } from '../backend.ts'
import type { Senders } from '../firewall/nftables/senders.ts'
import type { Address } from '../ip/address.ts'
import type { PeerChange } from '../lease/peer-step.ts'

/** The addresses a peer's outer packets may come from. */
export function sendersOf({ publicAddress, sourceAddress }: Peer): readonly Address[] {
  return sourceAddress === undefined ? [publicAddress] : [publicAddress, sourceAddress]
}

/** Counts the senders of peers that changed. */
export function countSenders(senders: Senders, changes: readonly PeerChange[]): void {
  for (const { before, after } of changes) {
    for (const address of before === undefined ? [] : sendersOf(before)) senders.remove(address)
    for (const address of after === undefined ? [] : sendersOf(after)) senders.add(address)
  }
}
