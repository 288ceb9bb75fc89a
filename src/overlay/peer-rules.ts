// The rules that peers' leases are held to on this host: for the daemon, and for doctor where none runs.
import type { Configured } from '../backend.ts'
import type { SomeFamily } from '../ip/by-family.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import type { PeerRules } from '../lease/peer-check.ts'
import { primaryRange } from '../network-config/configuration.ts'
import { type HostSelf, selfFor } from '../reconcile/intent.ts'
import { type Inputs, primaryExternal } from './inputs.ts'

/** What the rules depend on. */
export interface PeerRulesSource {
  readonly inputs: Pick<Inputs, 'configuration' | 'hostId' | 'externals'>
  /** Our own lease; undefined before we have one. */
  readonly own: { readonly key: string; readonly subnet: Prefix } | undefined
  /** Our host as backends see it at the moment of the call. */
  readonly selves: () => SomeFamily<HostSelf>
  /** A backend with the config it has at the moment of the call. */
  readonly configured: (type: string) => Configured | undefined
}

/** The rules. The caller adds what the operator or the daemon decides: which hosts are shut out, which are alive. */
export function peerRules({ inputs, own, selves, configured }: PeerRulesSource): PeerRules {
  const { network, subnetLen } = primaryRange(inputs.configuration)
  const { publicAddress, onlink } = primaryExternal(inputs)
  return {
    family: prefixFamily(network),
    network,
    subnetLen,
    own,
    publicAddress,
    hostId: inputs.hostId,
    onlink,
    parseData: (type, data) => {
      const known = configured(type)
      return known?.backend.parsePeerData(data, known.config) ?? { ok: false, reason: 'backend-type', detail: type }
    },
    needs: (peer) => {
      const [known, self] = [configured(peer.type), selfFor({ selves: selves() }, peer)]
      const needs = self && known?.backend.forPeer({ ...self, config: known.config }, peer)
      return needs ?? { ok: false, reason: 'backend-type', detail: peer.type }
    },
    exclusive: (type, data) => configured(type)?.backend.exclusive(data),
  }
}
