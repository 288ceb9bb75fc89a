// The tutorial's network in each address family, for tests that run in both: the same hosts, subnets and containers.
import type { Family } from '../../../src/ip/address.ts'
import type { Prefix } from '../../../src/ip/prefix.ts'
import type { Host } from '../world/lab.ts'
import { prefix } from '../../fake/values.ts'

/** How the tutorial's network is numbered in one family, and what its tools are called. */
export interface Numbering {
  readonly family: Family
  /** The cluster's network. */
  readonly network: Prefix
  /** Bits of an address. */
  readonly bits: 32 | 128
  /** MTU of the tunnel, in bytes. */
  readonly mtu: number
  /** The tunnel's device. */
  readonly device: string
  /** `iptables` or `ip6tables`. */
  readonly iptables: string
  /** The subnet of the host with this number. */
  subnet(host: number): Prefix
  /** An address in it: 0 is the VTEP's, 1 the bridge's, 2 that of the first container. */
  within(host: number, last: number): string
  /** A host's address on the LAN. */
  of(host: Host): string
  /** Host and port as iptables' DNAT and sockets' tools write them. */
  endpoint(address: string, port: number): string
  /** Docker's other networks: 18 is an ordinary one, 19 an --internal one. */
  docker(network: number): { readonly network: string; readonly bridge: string; readonly container: string }
}

export const NUMBERINGS: Readonly<Record<Family, Numbering>> = {
  4: {
    family: 4,
    network: prefix('10.2.0.0/16'),
    bits: 32,
    mtu: 1450,
    device: 'flannel.1',
    iptables: 'iptables',
    subnet: (host) => prefix(`10.2.${host}.0/24`),
    within: (host, last) => `10.2.${host}.${last}`,
    of: ({ address }) => address,
    endpoint: (address, port) => `${address}:${port}`,
    docker: (network) => ({
      network: `172.${network}.0.0/16`,
      bridge: `172.${network}.0.1/16`,
      container: `172.${network}.0.2`,
    }),
  },
  6: {
    family: 6,
    network: prefix('fd00:2::/48'),
    bits: 128,
    mtu: 1430,
    device: 'flannel-v6.1',
    iptables: 'ip6tables',
    subnet: (host) => prefix(`fd00:2:0:${host}::/64`),
    within: (host, last) => `fd00:2:0:${host}::${last === 0 ? '' : last}`,
    of: ({ address6 }) => address6,
    endpoint: (address, port) => `[${address}]:${port}`,
    docker: (network) => ({
      network: `fd00:172:${network}::/64`,
      bridge: `fd00:172:${network}::1/64`,
      container: `fd00:172:${network}::2`,
    }),
  },
}

/** The bridge's address with its length, as subnet.env and Docker write it. */
export function bridgeOf({ subnet, within }: Numbering, host: number): string {
  return `${within(host, 1)}/${subnet(host).split('/')[1] ?? ''}`
}
