// What has to run outside the kernel while a backend is in use, and what it has to know of peers: values that backends give to src/helpers.
import type { Address } from '../ip/address.ts'
import type { Secret } from '../text/secret.ts'
import type { Prefix } from '../ip/prefix.ts'

/**
 * Something outside the kernel that has to run while a backend is in use. src/helpers starts it, keeps it running and stops it, by a
 * driver for each type. There is one of each type and name.
 */
export type Helper = ForwarderHelper | CharonHelper | CommandsHelper

/** A command of the config. */
export interface Command {
  /** The program and its arguments. */
  readonly words: readonly string[]
  /** Whether `$NAME` in a word is replaced by the value of that name; a shell does that itself. */
  readonly replaces: boolean
}

/** Commands of the operator; undefined for one that is not given. */
export interface CommandsHelper {
  readonly type: 'commands'
  readonly name: string
  /** What `start` and `end` are told of this host. */
  readonly environment: Readonly<Record<string, string>>
  readonly start: Command | undefined
  readonly add: Command | undefined
  readonly remove: Command | undefined
  readonly end: Command | undefined
}

/** What `add` and `remove` are told of a peer, and what they read. */
export interface CommandsPeer {
  readonly type: 'commands'
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  readonly input: string
}

/** Carries packets between the TUN device `name`, whose address is `self`, and a UDP socket at `local`. */
export interface ForwarderHelper {
  readonly type: 'forwarder'
  readonly name: string
  readonly self: Address
  readonly local: Address
  readonly port: number
}

/** What a helper has to know of one peer: `type` and `name` are those of the helper. */
export type HelperPeer = ForwarderPeer | CharonPeer | CommandsPeer

/** strongSwan's charon, which agrees with peers on keys (IKEv2, RFC 7296) and gives them to the kernel. */
export interface CharonHelper {
  readonly type: 'charon'
  readonly name: string
  readonly psk: Secret
  /** The program: the first of these paths that there is. `fix` says what to install. */
  readonly programs: readonly string[]
  readonly fix: string
}

/** A connection of charon's: packets between two subnets, in ESP between two hosts. */
export interface CharonPeer {
  readonly type: 'charon'
  readonly name: string
  /** Addresses of the outer packets. */
  readonly local: Address
  readonly remote: Address
  /** Who the two are to each other: the address that the other one knows. */
  readonly localId: Address
  readonly remoteId: Address
  readonly ownSubnet: Prefix
  readonly subnet: Prefix
  /** In strongSwan's words: `aes128gcm16-sha256-prfsha256-ecp256`. */
  readonly espProposal: string
  /** Whether ESP travels in UDP (RFC 3948) even where no NAT is seen. */
  readonly udpEncap: boolean
}

/** Packets of the peer come from these addresses; those to its subnet go to the first, if there is a port. */
export interface ForwarderPeer {
  readonly type: 'forwarder'
  readonly name: string
  readonly address: Address
  readonly source: Address | undefined
  readonly port: number | undefined
}
