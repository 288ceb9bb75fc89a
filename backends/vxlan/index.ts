// vxlan: packets to a peer travel in UDP between the hosts (RFC 7348). docs/packet-path.md follows one packet.
import type { Backend } from '../../src/backend.ts'
import { KEYS, LEAST_MTU, type VxlanConfig, type VxlanPeer, parseConfig, parsePeer } from './config.ts'
import { base, forPeer, mtu, vtepMac, wraps } from './kernel-objects.ts'

export const vxlan: Backend<VxlanConfig, VxlanPeer> = {
  type: 'vxlan',
  configKeys: KEYS,
  parseConfig,
  refuses: ({ name, family, mtu: most }) =>
    most >= LEAST_MTU[family] ? undefined : `the MTU of ${name} is ${most}: vxlan needs ${LEAST_MTU[family]} at least`,
  mtu,
  receivesDirectly: (config) => config.directRouting,
  leaseData: (self) => ({ VNI: self.config.vni, VtepMAC: vtepMac(self) }),
  parsePeerData: parsePeer,
  exclusive: (data) => data.mac,
  base,
  forPeer: (self, peer) => ({ ok: true, value: forPeer(self, peer) }),
  wraps,
}
