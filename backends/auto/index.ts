// auto: each peer is reached by the best way that probes prove and the config allows. A plain route where the hosts share a link and it
// carries packets of containers, else vxlan, or wireguard where packets have to be encrypted. Our own: leases are those of vxlan, so
// that a host with Go's flanneld reaches us and is reached by vxlan.
import type { Backend, Checked, Peer, Wrapping } from '../../src/backend.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { peerRoute } from '../peer-route.ts'
import { vxlan } from '../vxlan/index.ts'
import { base, forPeer, mtu, wraps } from '../vxlan/kernel-objects.ts'
import { wireguard } from '../wireguard/index.ts'
import { deviceObjects, peerObjectsOf, wireguardMtu, wrapsInWireguard } from '../wireguard/kernel-objects.ts'
import { AUTO_KEYS, type AutoConfig, type AutoPeer, parseAutoConfig, parseAutoPeer } from './config.ts'
import { type AutoSelf, chosenWay, encryptedSelf, encryptedWay, mayBeDirect, takesDirect } from './ways.ts'

export const auto: Backend<AutoConfig, AutoPeer> = {
  type: 'auto',
  leaseType: vxlan.type,
  encrypts: ({ encrypt }) => encrypt === 'always',
  configKeys: AUTO_KEYS,
  parseConfig: parseAutoConfig,
  refuses: (external) => vxlan.refuses(external) ?? wireguard.refuses(external),
  requires: (self) => {
    const encrypted = encryptedSelf(self)
    const needs = (encrypted && wireguard.requires?.(encrypted)) ?? []
    return needs.map((one) => (one.type === 'link' ? { ...one, key: 'Backend.Encrypt' } : one))
  },
  prepares: ({ encrypt, wireguard: own }, network, external) =>
    encrypt === 'never' ? [] : (wireguard.prepares?.(own, network, external) ?? []),
  mtu: (self) => {
    const encrypted = encryptedSelf(self)
    return encrypted === undefined ? mtu(self) : Math.min(mtu(self), wireguardMtu(encrypted))
  },
  receivesDirectly: ({ encrypt }) => encrypt !== 'always',
  leaseData: (self) => {
    const encrypted = encryptedSelf(self)
    const keys = encrypted && wireguard.leaseData(encrypted)
    return { ...vxlan.leaseData(self), Direct: takesDirect(self), ...keys }
  },
  parsePeerData: parseAutoPeer,
  sessionOf: ({ data: { wireguard: keys } }) => keys && { type: 'wireguard', publicKey: keys.publicKey },
  // A host that has not followed a change of Encrypt to never.
  sendsAlsoBy: ({ wireguard: keys }) => keys && wireguard.type,
  includes: (config) => (config.encrypt === 'never' ? [] : [{ backend: wireguard, config: config.wireguard }]),
  // Of cloned hosts it is the key that is the same; MACs are made from the subnet as well.
  exclusive: ({ mac, wireguard: keys }) => keys?.publicKey ?? mac,
  base: (self) => {
    const encrypted = encryptedSelf(self)
    return [...base(self), ...(encrypted === undefined ? [] : deviceObjects(encrypted))]
  },
  forPeer: objectsFor,
  wraps: wrappingOf,
  tries: mayBeDirect,
  explains: (self, peer) => chosenWay(self, peer).why,
}

/** What every way needs stays in place, so that a change of the way is the change of one route: no packet is lost. */
function objectsFor(self: AutoSelf, peer: Peer<AutoPeer>): Checked<readonly KernelObject[]> {
  const plain = forPeer(self, peer)
  const encrypted = encryptedWay(self, peer)
  const keyed = encrypted && peerObjectsOf(encrypted.self, encrypted.peer)
  if (keyed?.ok === false) return keyed
  const entries = [...plain, ...(keyed?.value ?? [])].filter(({ kind }) => !ROUTES.includes(kind))
  return { ok: true, value: [...entries, ...routeTo(self, peer, plain, keyed?.value ?? [])] }
}

const ROUTES: readonly KernelObject['kind'][] = ['route', 'nexthop']

function routeTo(
  self: AutoSelf,
  peer: Peer<AutoPeer>,
  plain: readonly KernelObject[],
  keyed: readonly KernelObject[],
): readonly KernelObject[] {
  const { external, nexthops } = self
  const { subnet, publicAddress: gateway } = peer
  switch (chosenWay(self, peer).way.by) {
    case 'direct':
      return peerRoute({ subnet, gateway, device: external.name, onlink: false, nexthops })
    case 'vxlan':
      return plain.filter(({ kind }) => ROUTES.includes(kind))
    case 'wireguard':
      return keyed.filter(({ kind }) => ROUTES.includes(kind))
  }
}

function wrappingOf(self: AutoSelf, peer: Peer<AutoPeer>): Wrapping | undefined {
  const { way } = chosenWay(self, peer)
  if (way.by === 'direct') return undefined
  const encrypted = way.by === 'wireguard'
  const wrapping = encrypted ? wrapsInWireguard(way.self, way.peer) : wraps(self, peer)
  return wrapping && { ...wrapping, by: way.by, encrypted }
}
