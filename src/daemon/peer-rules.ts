// What leases of peers are held against on this host, at this moment.
import { selfOf } from '../overlay/plan.ts'
import type { LeaseKeeper } from '../lease/keep.ts'
import type { PeerRules } from '../lease/peer-check.ts'
import type { Overlay } from '../overlay/overlay.ts'
import { primarySubnet } from '../lease/lease.ts'
import { prefixFamily } from '../ip/prefix.ts'
import { primaryRange } from '../network-config/configuration.ts'

/** Whose rules these are. */
export interface RulesGround extends Required<Pick<PeerRules, 'shutOut' | 'alive'>> {
  readonly overlay: Overlay
  readonly keeper: LeaseKeeper
}

/** The rules; the backends' part goes by the config of the moment it is asked. */
export function peerRulesOf({ overlay, keeper, shutOut, alive }: RulesGround): PeerRules {
  const { configuration, external, hostId } = overlay.inputs
  const own = keeper.own()
  return {
    family: prefixFamily(primaryRange(configuration).network),
    network: primaryRange(configuration).network,
    subnetLen: primaryRange(configuration).subnetLen,
    own: { key: own.key, subnet: primarySubnet(own) },
    publicAddress: external.publicAddress,
    hostId,
    onlink: external.onlink,
    parseData: (type, data) => {
      const way = overlay.configured(type)
      if (way !== undefined) return way.backend.parsePeerData(data, way.config)
      return { ok: false, reason: 'backend-type', detail: type }
    },
    needs: (peer) => {
      const way = overlay.configured(peer.type)
      const self = { ...selfOf(overlay.inputs), config: way?.config }
      return way?.backend.forPeer(self, peer) ?? { ok: false, reason: 'backend-type', detail: peer.type }
    },
    exclusive: (type, data) => overlay.configured(type)?.backend.exclusive(data),
    remembersClaims: true,
    shutOut,
    alive,
  }
}
