// What wireguard wants of the kernel: a device with this host's key, and per peer its key, with the prefixes that may come from it
// and are sent to it, and a route.
import type { Checked, ExternalInterface, Peer, Self, Wrapping } from '../../src/backend.ts'
import { type Address, type Family, familyOf } from '../../src/ip/address.ts'
import { FAMILIES } from '../../src/ip/by-family.ts'
import { type Prefix, addressOf, bitsOf, contains, parsePrefix } from '../../src/ip/prefix.ts'
import { WIREGUARD_DEVICES } from '../../src/kernel/flannel-link.ts'
import type { KernelObject, WireguardPeer } from '../../src/kernel/state.ts'
import { deviceRoute } from '../peer-route.ts'
import { OVERHEAD, type WireguardConfig, type WireguardData } from './config.ts'

/** What the key pair is called among what is prepared. */
export const KEY_NAME = 'wireguard-key'

type WireguardSelf = Self<WireguardConfig>
type Endpoint = NonNullable<WireguardPeer['endpoint']>

/** The family whose device, and port, a device for both has. */
const SHARED_FAMILY: Family = 4

/** The family whose device packets of a family of subnets use. */
function deviceFamily({ config, family }: Pick<WireguardSelf, 'config' | 'family'>): Family {
  return config.mode === 'separate' ? family : SHARED_FAMILY
}

/** The family of outer packets where the mode says it. */
const OUTER: Readonly<Record<WireguardConfig['mode'], Family | undefined>> = {
  separate: undefined,
  auto: undefined,
  ipv4: 4,
  ipv6: 6,
}

/** The interfaces that outer packets may use. */
function underlays({ config, external, otherExternal }: WireguardSelf): readonly ExternalInterface[] {
  const both = otherExternal === undefined || config.mode === 'separate' ? [external] : [external, otherExternal]
  const wanted = OUTER[config.mode]
  const fitting = both.filter(({ family }) => wanted === undefined || family === wanted)
  return fitting.length > 0 ? fitting : both
}

/** What is left for containers. The same for both families where they share a device. */
export function wireguardMtu(self: WireguardSelf): number {
  const most = Math.min(...underlays(self).map((one) => one.mtu))
  return (self.config.mtu === 0 ? most : Math.min(self.config.mtu, most)) - OVERHEAD
}

export function listenPort(self: WireguardSelf): number {
  return self.config.ports[deviceFamily(self)]
}

/** The key of the network config that says so. */
export function portKey(self: WireguardSelf): string {
  return deviceFamily(self) === SHARED_FAMILY ? 'ListenPort' : 'ListenPortV6'
}

/** Nothing while there is no key: where our own lease is of another backend, none was made. */
export function deviceObjects(self: WireguardSelf): readonly KernelObject[] {
  const publicKey = self.prepared.get(KEY_NAME)
  if (publicKey === undefined) return []
  const { family, network, subnet } = self
  const device = WIREGUARD_DEVICES[deviceFamily(self)]
  return [
    {
      kind: 'link',
      type: 'wireguard',
      name: device,
      port: listenPort(self),
      publicKey,
      mtu: wireguardMtu(self),
      up: true,
    },
    { kind: 'address', device, address: addressOf(subnet), length: bitsOf(family) },
    // As in Go. The device refuses packets to subnets without a peer, which would else leave by the default route, readable.
    deviceRoute(network, device),
  ]
}

export function peerObjectsOf(self: WireguardSelf, peer: Peer<WireguardData>): Checked<readonly KernelObject[]> {
  const { config, family, prepared } = self
  const { publicKey } = peer.data
  const own = prepared.get(KEY_NAME)
  if (own === undefined) return { ok: false, reason: 'no-key', detail: 'this host does not use wireguard yet' }
  if (own === publicKey)
    return { ok: false, reason: 'own-key', detail: `${publicKey} is our own key: remove the key file of a cloned host` }
  const device = WIREGUARD_DEVICES[deviceFamily(self)]
  const route = deviceRoute(peer.subnet, device)
  const shared = config.mode !== 'separate'
  // One peer of the device carries both subnets: that of IPv4 brings it along.
  if (shared && family !== SHARED_FAMILY && peer.also !== undefined) return { ok: true, value: [route] }
  const endpoint = endpointOf(self, peer)
  if (endpoint === undefined)
    return { ok: false, reason: 'address-family', detail: `Mode ${config.mode}: its lease has no such address` }
  const allowed = shared && peer.also !== undefined ? [peer.subnet, peer.also].toSorted() : [peer.subnet]
  const { presharedKey, keepalive } = config
  return {
    ok: true,
    value: [{ kind: 'wireguard-peer', device, publicKey, endpoint, allowed, presharedKey, keepalive }, route],
  }
}

/** Where a peer receives; undefined where its lease has no address of a family we have to use. */
function endpointOf(self: WireguardSelf, peer: Peer<WireguardData>): Endpoint | undefined {
  const { mode } = self.config
  const address = mode === 'separate' ? peer.publicAddress : sharedAddress(self, peer, OUTER[mode])
  return address && { address, port: peer.data.port ?? listenPort(self) }
}

/**
 * Where one device for both families reaches a peer. With Mode auto, as in Go: in the first family, unless the address there is
 * private and both hosts have a public one in the other.
 */
function sharedAddress(
  self: WireguardSelf,
  peer: Peer<WireguardData>,
  wanted: Family | undefined,
): Address | undefined {
  const theirs = [peer.publicAddress, ...(peer.otherAddress === undefined ? [] : [peer.otherAddress])]
  const ours = underlays(self)
  const pairs = FAMILIES.flatMap((family) => {
    const to = theirs.find((address) => familyOf(address) === family)
    const from = ours.find((external) => external.family === family)?.address
    return to === undefined || from === undefined || (wanted ?? family) !== family ? [] : [{ to, from }]
  })
  const isPublic = ({ to, from }: (typeof pairs)[number], at: number): boolean =>
    !isPrivate(to) && (at === 0 || !isPrivate(from))
  return (pairs.find(isPublic) ?? pairs[0])?.to
}

/** RFC 1918 and RFC 4193. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'].map((text) => parsePrefix(text) as Prefix)

function isPrivate(address: Address): boolean {
  return PRIVATE.some((prefix) => contains(prefix, address))
}

export function wrapsInWireguard(self: WireguardSelf, peer: Peer<WireguardData>): Wrapping | undefined {
  const endpoint = endpointOf(self, peer)
  if (endpoint === undefined) return undefined
  const { address: to, port } = endpoint
  const from = [self.external, self.otherExternal].find((one) => one?.family === familyOf(to)) ?? self.external
  return { from: from.address, to, overhead: OVERHEAD, outer: `udp ${port}` }
}
