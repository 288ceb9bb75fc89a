// docker0, seen from outside: dockerd reads subnet.env at its start only, so after a change of subnet or MTU it keeps
// the old ones until it is restarted. We report that; Docker's bridge is never changed.
import { type HostNetwork, addressesOf } from '../kernel/host-network.ts'
import { familyOf } from '../ip/address.ts'
import { type ByFamily, NEITHER, inFamily, valuesOf } from '../ip/by-family.ts'
import { type Prefix, contains, lengthOf, nth, prefixFamily } from '../ip/prefix.ts'
import type { FoundSubnetEnv } from './subnet-env.ts'
import type { Log } from '../log.ts'

/** What docker0 should have. */
export interface BridgeSettings {
  readonly subnet: Prefix
  readonly mtu: number
}

/** What is wrong with docker0. */
export interface StaleBridge {
  /** What it has, and what is leased. */
  readonly seen: string
  readonly effect: string
  /** What to do. */
  readonly fix: string
  /** Whether packets are lost; if not, they are merely smaller than they could be. */
  readonly stops: boolean
  /** The finding as one sentence. */
  readonly text: string
}

const BRIDGE = 'docker0'
const FIX = 'run flanneld docker-opts and restart dockerd'

/**
 * What is wrong with docker0; undefined when nothing is, when there is none, or when its address is in none of `networks`, the
 * cluster's ones now and before: then its containers are elsewhere by intent.
 */
export function staleBridge(
  host: HostNetwork,
  leased: BridgeSettings,
  networks: Iterable<Prefix>,
): StaleBridge | undefined {
  const link = host.links.find(({ name }) => name === BRIDGE)
  if (link === undefined) return undefined
  const own = addressesOf(host, link).find(({ address }) => familyOf(address) === familyOf(nth(leased.subnet, 1)))
  if (own === undefined || ![...networks].some((network) => contains(network, own.address))) return undefined
  const { subnet, mtu } = leased
  if (!contains(subnet, own.address) || own.length !== lengthOf(subnet)) {
    const seen = `has ${own.address}/${own.length}, leased is ${subnet}`
    return stale({ seen, effect: 'peers do not reach its containers', fix: FIX, stops: true })
  }
  // Without containers older engines leave it at 1500 whatever --mtu says.
  if (!link.carrier || link.mtu === mtu) return undefined
  const stops = link.mtu > mtu
  const effect = stops ? 'large packets of its containers are lost' : 'its containers send smaller packets than need be'
  return stale({
    seen: `has mtu ${link.mtu}, leased is ${mtu}`,
    effect,
    fix: `${FIX}, and start its containers again`,
    stops,
  })
}

/** The first thing that is wrong with it by subnet.env, in any family. */
export function bridgeFault(
  host: HostNetwork,
  file: FoundSubnetEnv | undefined,
  networks: ByFamily<Prefix> = file?.networks ?? NEITHER,
): StaleBridge | undefined {
  const mtu = file?.mtu
  if (file === undefined || mtu === undefined) return undefined
  const found = valuesOf(file.subnets).flatMap((subnet) => {
    const before = [inFamily(networks, prefixFamily(subnet)), inFamily(file.networks, prefixFamily(subnet))]
    const known = before.filter((network) => network !== undefined)
    return known.length === 0 ? [] : (staleBridge(host, { subnet, mtu }, known) ?? [])
  })
  return found[0]
}

/** The leased subnets of which docker0 has no address, while it has one of another: dockerd does not know of that family. */
export function subnetsWithoutBridge(host: HostNetwork, subnets: ByFamily<Prefix>): readonly Prefix[] {
  const link = host.links.find(({ name }) => name === BRIDGE)
  if (link === undefined) return []
  const addresses = addressesOf(host, link)
  const has = (subnet: Prefix): boolean => addresses.some(({ address }) => contains(subnet, address))
  const missing = valuesOf(subnets).filter((subnet) => {
    const others = addresses.filter(
      ({ address, scope }) => scope === 'global' && familyOf(address) === prefixFamily(subnet),
    )
    return others.length === 0
  })
  return valuesOf(subnets).some(has) ? missing : []
}

function stale(found: Omit<StaleBridge, 'text'>): StaleBridge {
  return { ...found, text: `${BRIDGE}: ${found.seen}: ${found.effect}: ${found.fix}` }
}

/** Says it once, and once when it is over. */
export class DockerBridge {
  readonly #networks: Set<Prefix>
  readonly #log: Log
  #logged: string | undefined

  /** `networks` are those the host had before. */
  constructor(networks: Iterable<Prefix>, log: Log) {
    this.#networks = new Set(networks)
    this.#log = log
  }

  /** `networks` are the cluster's, `leased` what docker0 should have in each family. */
  look(host: HostNetwork, networks: Iterable<Prefix>, leased: readonly BridgeSettings[]): void {
    for (const network of networks) this.#networks.add(network)
    const found = leased.map((settings) => staleBridge(host, settings, this.#networks))
    const stale = found.find((one) => one !== undefined)?.text
    if (stale === this.#logged) return
    if (stale !== undefined) this.#log.warn(stale)
    else this.#log.info(`${BRIDGE}: no longer with an old subnet or mtu`)
    this.#logged = stale
  }
}
