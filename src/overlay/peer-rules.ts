// The rules that peers' leases are held to on this host: for the daemon, and for doctor where none runs.
import type { AnyBackend, Configured } from '../backend.ts'
import type { Family } from '../ip/address.ts'
import { type SomeFamily, byFamily, familiesOf, inFamily, some } from '../ip/by-family.ts'
import type { Subnets } from '../lease/lease.ts'
import type { PeerRules } from '../lease/peer-check.ts'
import { type HostSelf, selfFor } from '../reconcile/intent.ts'
import type { Inputs } from './inputs.ts'

/** What the rules depend on. */
export interface PeerRulesSource {
  readonly inputs: Pick<Inputs, 'configuration' | 'hostId' | 'externals'>
  /** Our own lease; undefined before we have one. */
  readonly own: { readonly key: string; readonly subnets: Subnets } | undefined
  /** Our host as backends see it at the moment of the call. */
  readonly selves: () => SomeFamily<HostSelf>
  /** A backend with the config it has at the moment of the call. */
  readonly configured: (type: string) => Configured | undefined
}

/**
 * The rules of each family in which there are a network and an interface. The caller adds what the operator or the daemon decides:
 * which hosts are shut out, which are alive.
 */
export function peerRules(source: PeerRulesSource): SomeFamily<PeerRules> {
  const { configuration, externals } = source.inputs
  const rules = some(byFamily((family) => rulesIn(source, family)))
  if (rules !== undefined) return rules
  throw new Error(
    `network config: no interface for IPv${familiesOf(configuration.ranges).join()}: there is one for IPv${familiesOf(externals).join()}`,
  )
}

/** The type of leases without one in a network of this backend. */
function unnamedType({ type, unnamed }: AnyBackend): string | undefined {
  return unnamed === true ? type : undefined
}

function rulesIn({ inputs, own, selves, configured }: PeerRulesSource, family: Family): PeerRules | undefined {
  const [range, external] = [inFamily(inputs.configuration.ranges, family), inFamily(inputs.externals, family)]
  if (range === undefined || external === undefined) return undefined
  return {
    family,
    network: range.network,
    subnetLen: range.subnetLen,
    own: own && { key: own.key, subnet: inFamily(own.subnets, family) },
    publicAddress: external.publicAddress,
    hostId: inputs.hostId,
    onlink: external.onlink,
    unnamed: unnamedType(inputs.configuration.own.backend),
    parseData: (type, data) => {
      const known = configured(type)
      return known?.backend.parsePeerData(data, known.config) ?? { ok: false, reason: 'backend-type', detail: type }
    },
    needs: (peer) => {
      const [known, self] = [configured(peer.type), selfFor({ selves: selves() }, peer)]
      if (known === undefined) return { ok: false, reason: 'backend-type', detail: peer.type }
      // Until our own lease has a subnet of a family that was just switched on, nothing can be said of peers in it.
      if (self === undefined) return { ok: false, reason: 'family', detail: `we have no IPv${family} subnet yet` }
      return known.backend.forPeer({ ...self, config: known.config }, peer)
    },
    exclusive: (type, data) => configured(type)?.backend.exclusive(data),
  }
}
