// The rules by which leases become peers on a vxlan host at 192.168.0.1 in 10.2.0.0/16: the real backend judges their data.
import { vxlan } from '../../backends/vxlan/index.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import { VXLAN_DEFAULTS, address, prefix } from './values.ts'

export const PEER_RULES: PeerRules = {
  family: 4,
  network: prefix('10.2.0.0/16'),
  subnetLen: 24,
  own: undefined,
  publicAddress: address('192.168.0.1'),
  hostId: 'us',
  onlink: [],
  parseData: (_type, data) => vxlan.parsePeerData(data, VXLAN_DEFAULTS),
  needs: () => ({ ok: true, value: undefined }),
  exclusive: (_type, data) => vxlan.exclusive(data as Parameters<typeof vxlan.exclusive>[0]),
}
