// ipsec: packets to a peer travel in ESP between the hosts (RFC 4303, tunnel mode), encrypted with keys that strongSwan's charon agrees on
// with the peer. Policies, identities and proposals are those of Go's flanneld. There is no device: packets leave and arrive on
// the external interface, where the kernel wraps and unwraps them.
import type { Backend, HelperPeer, Peer, Self } from '../../src/backend.ts'
import { FLANNEL_PROTOCOL, IPSEC_REQID, type KernelObject, type Policy } from '../../src/kernel/state.ts'
import { type IpsecConfig, IPSEC_KEYS, parseIpsec } from './config.ts'

/**
 * What Go's flanneld takes off the MTU: an IP header (20), the header of ESP (8), an initialisation vector (16), padding (15), a
 * trailer (2) and a check value (16). UDP around it takes 8 more.
 */
const OVERHEAD = 77
const UDP_OVERHEAD = 8
/** 68 (RFC 791) for containers. */
const LEAST_MTU = 68 + OVERHEAD + UDP_OVERHEAD

/** The one charon of a host. */
const NAME = 'ipsec'

/** Where charon is, by distribution: Debian and Ubuntu, Alpine and Arch, Fedora, openSUSE; the last one needs no starter. */
const CHARON = {
  programs: [
    '/usr/lib/ipsec/charon',
    '/usr/lib/strongswan/charon',
    '/usr/libexec/strongswan/charon',
    '/usr/libexec/ipsec/charon',
    '/usr/sbin/charon-systemd',
  ],
  fix: 'install strongSwan (Debian and Ubuntu: apt-get install strongswan-charon libstrongswan-standard-plugins; Fedora: dnf install strongswan), or set another Backend.Type',
} as const

function overhead({ udpEncap }: IpsecConfig): number {
  return udpEncap ? OVERHEAD + UDP_OVERHEAD : OVERHEAD
}

/** Packets from a peer for this host and for its containers. */
const ARRIVING = ['in', 'fwd'] as const

export const ipsec: Backend<IpsecConfig, null> = {
  type: 'ipsec',
  families: [4],
  encrypts: () => true,
  configKeys: IPSEC_KEYS,
  parseConfig: parseIpsec,
  refuses: ({ name, mtu }) =>
    mtu >= LEAST_MTU ? undefined : `the MTU of ${name} is ${mtu}: ipsec needs ${LEAST_MTU} at least`,
  requires: () => [
    { type: 'program', key: 'Backend.Type', names: CHARON.programs, fix: CHARON.fix },
    { type: 'udp-port', key: 'Backend.Type', port: 500 },
    { type: 'udp-port', key: 'Backend.Type', port: 4500 },
  ],
  // Whoever has no key gets nothing through.
  receives: () => [],
  mtu: ({ config, external }) => external.mtu - overhead(config),
  receivesDirectly: () => true,
  unwrapsOnExternal: true,
  leaseData: () => undefined,
  parsePeerData: () => ({ ok: true, value: null }),
  exclusive: () => undefined,
  base: () => [],
  helpers: ({ config: { psk } }) => [{ type: 'charon', name: NAME, psk, ...CHARON }],
  sessionOf: ({ publicAddress }) => ({ type: 'ipsec', remote: publicAddress }),
  helperPeer: connectionTo,
  helperSender: connectionTo,
  forSender: (self, { subnet, publicAddress }) =>
    ARRIVING.map((direction) => policyOf(self, direction, subnet, publicAddress)),
  forPeer: (self, { subnet, publicAddress }) => ({
    ok: true,
    value: [
      ...(['out', ...ARRIVING] as const).map((direction) => policyOf(self, direction, subnet, publicAddress)),
      // The policies take what has a route; without one a packet is refused before. Where a policy is missing, nobody answers.
      {
        kind: 'route',
        destination: subnet,
        metric: 0,
        target: { type: 'device', device: self.external.name },
        protocol: FLANNEL_PROTOCOL,
      },
    ],
  }),
}

function connectionTo(
  { config, subnet: ownSubnet, external }: Self<IpsecConfig>,
  { subnet, publicAddress }: Pick<Peer, 'subnet' | 'publicAddress'>,
): HelperPeer {
  return {
    type: 'charon',
    name: NAME,
    local: external.address,
    remote: publicAddress,
    localId: external.publicAddress,
    remoteId: publicAddress,
    ownSubnet,
    subnet,
    espProposal: config.espProposal,
    udpEncap: config.udpEncap,
  }
}

function policyOf(
  { subnet: ownSubnet, external: { address: own } }: Self<IpsecConfig>,
  direction: Policy['direction'],
  ...[subnet, remote]: readonly [subnet: Self<IpsecConfig>['subnet'], remote: Self<IpsecConfig>['external']['address']]
): KernelObject {
  const ends =
    direction === 'out'
      ? { source: ownSubnet, destination: subnet, from: own, to: remote }
      : { source: subnet, destination: ownSubnet, from: remote, to: own }
  return { kind: 'policy', direction, ...ends, reqid: IPSEC_REQID, optional: false }
}
