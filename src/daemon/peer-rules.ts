// What leases of peers are held against on this host, at this moment.
import { primaryExternal } from '../overlay/inputs.ts'
import { selfFor } from '../reconcile/intent.ts'
import type { PeerRules } from '../lease/peer-check.ts'
import type { Session } from '../overlay/session.ts'
import { primarySubnet } from '../lease/lease.ts'
import { prefixFamily } from '../ip/prefix.ts'
import { primaryRange } from '../network-config/configuration.ts'

/** Whose rules these are. */
export interface RulesContext extends Required<Pick<PeerRules, 'shutOut' | 'alive'>> {
  readonly session: Session
}

/** The rules; the backends' part goes by the config of the moment it is asked. */
export function peerRulesOf({ session, shutOut, alive }: RulesContext): PeerRules {
  const { configuration, hostId } = session.inputs
  const external = primaryExternal(session.inputs)
  const own = session.lease.own()
  return {
    family: prefixFamily(primaryRange(configuration).network),
    network: primaryRange(configuration).network,
    subnetLen: primaryRange(configuration).subnetLen,
    own: { key: own.key, subnet: primarySubnet(own) },
    publicAddress: external.publicAddress,
    hostId,
    onlink: external.onlink,
    parseData: (type, data) => {
      const configured = session.configured(type)
      if (configured !== undefined) return configured.backend.parsePeerData(data, configured.config)
      return { ok: false, reason: 'backend-type', detail: type }
    },
    needs: (peer) => {
      const configured = session.configured(peer.type)
      const self = selfFor(session.plan.intent, peer)
      const needs = self && configured?.backend.forPeer({ ...self, config: configured.config }, peer)
      return needs ?? { ok: false, reason: 'backend-type', detail: peer.type }
    },
    exclusive: (type, data) => session.configured(type)?.backend.exclusive(data),
    remembersClaims: true,
    shutOut,
    alive,
  }
}
