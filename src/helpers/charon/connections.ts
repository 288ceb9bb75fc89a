// What charon is told of a peer, and what it says of connections: pure.
// The proposals, the reqid and the identities are those of Go's flanneld: hosts of both kinds understand each other.
import type { CharonPeer } from '../../health/outside-kernel.ts'
import { bigintOf } from '../../ip/address.ts'
import { IPSEC_REQID } from '../../kernel/state.ts'
import { type ViciMessage, type ViciSection, sectionOf, sectionsOf, viciText } from '../vici/message.ts'

/** The one child of each connection. */
export const CHILD = 'subnets'

/** What Go's flanneld offers for IKE; both sides have to. */
const IKE_PROPOSAL = 'aes256-sha256-modp4096'
/** A peer that says nothing for this long is asked whether it lives. */
const DPD_DELAY = '20s'
/** Keys are changed this often, as in Go's flanneld. */
const REKEY_TIME = '1h'

/** The name of a peer's connection. */
export function connectionName({ subnet }: Pick<CharonPeer, 'subnet'>): string {
  return subnet
}

/** The body of load-conn for a peer. Policies are the reconciler's; when to begin is ours to say (tunnels.ts). */
export function connectionOf(peer: CharonPeer): ViciMessage {
  return {
    [connectionName(peer)]: {
      version: '2',
      local_addrs: [peer.local],
      remote_addrs: [peer.remote],
      proposals: [IKE_PROPOSAL],
      encap: yesOrNo(peer.udpEncap),
      // The addresses are those of the leases: charon must not go over to another one that this host has.
      mobike: 'no',
      keyingtries: '1',
      dpd_delay: DPD_DELAY,
      local: { auth: 'psk', id: peer.localId },
      remote: { auth: 'psk', id: peer.remoteId },
      children: {
        [CHILD]: {
          local_ts: [peer.ownSubnet],
          remote_ts: [peer.subnet],
          esp_proposals: [peer.espProposal],
          mode: 'tunnel',
          reqid: String(IPSEC_REQID),
          policies: 'no',
          rekey_time: REKEY_TIME,
          start_action: 'none',
          close_action: 'none',
          dpd_action: 'clear',
        },
      },
    },
  }
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

/** How far a connection is. */
export interface ConnectionState {
  readonly name: string
  /** Whether packets can go: the kernel has keys for both directions. */
  readonly up: boolean
  /** Whether the two are talking. */
  readonly under: boolean
  /** The indexes of its associations in the kernel. */
  readonly spis: readonly number[]
}

/** The connections of an event list-sa: of each IKE association one. */
export function statesIn(event: ViciSection): readonly ConnectionState[] {
  return sectionsOf(event).map(([name, ike]) => {
    const children = sectionsOf(sectionOf(ike, 'child-sas')).map(([, child]) => child)
    const state = viciText(ike, 'state')
    return {
      name,
      up: children.some((child) => viciText(child, 'state') === 'INSTALLED'),
      under: state === 'CONNECTING' || state === 'ESTABLISHED' || state === 'REKEYING',
      spis: children.flatMap((child) => [viciText(child, 'spi-in'), viciText(child, 'spi-out')]).flatMap(spiOf),
    }
  })
}

function spiOf(text: string): readonly number[] {
  return /^[0-9a-f]{1,8}$/i.test(text) ? [Number.parseInt(text, 16)] : []
}

/** Which of the two begins at once: the other one gives it some time, so that there is one pair of associations, not two. */
export function beginsFirst({ local, remote }: CharonPeer): boolean {
  return bigintOf(local) < bigintOf(remote)
}
