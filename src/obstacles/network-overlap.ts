// Networks of this host that share addresses with the cluster's Network. Pure.
// Invariant: what takes packets away from this host's LAN is distinguished from a bridge of containers, which merely has to be moved: an
// engine on its default address, an old subnet, a network made by hand.
import { type ByFamily, type SomeFamily, inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import { type HostLink, type HostNetwork, isOverlayDevice } from '../kernel/host-network.ts'
import { type Prefix, contains, overlaps, prefixFamily, prefixOf } from '../ip/prefix.ts'
import { RANGE_KEYS } from '../network-config/range.ts'
import type { SubnetRange } from '../lease/allocate.ts'

/** A network of this host that overlaps. */
export interface Overlap {
  readonly device: string
  readonly connected: Prefix
  /** Whether only containers of this host are in it. */
  readonly containers: boolean
  /** Which networks overlap, and where. */
  readonly what: string
  readonly effect: string
  /** What to do. */
  readonly advice: string
  /** The finding as one sentence. */
  readonly text: string
  /** The command for it; null where the text says what to do. */
  readonly run: string | null
}

/** All of them. The bridge that has a leased subnet is none: it is where our containers are, or those of the lease before. */
export function overlapsIn(
  { network, subnetLen }: Pick<SubnetRange, 'network' | 'subnetLen'>,
  host: HostNetwork,
  externalIndex: number,
): readonly Overlap[] {
  const found = new Map<string, Overlap>()
  for (const { index, address, length } of host.addresses) {
    const connected = prefixOf(address, length)
    const link = host.links.find((each) => each.index === index)
    if (!overlaps(network, connected) || (link !== undefined && isOverlayDevice(link))) continue
    if (index !== externalIndex && length === subnetLen && contains(network, connected)) continue
    const device = link?.name ?? `#${index}`
    const containers = link !== undefined && index !== externalIndex && isContainers(host, link)
    const what = `${network} overlaps ${connected} on ${device}`
    const consequence = containers ? ofContainers(network, device) : OF_LAN
    const { effect, advice } = consequence
    const text = `network config: ${RANGE_KEYS[prefixFamily(network)].network}: ${what}: ${effect}${containers ? ':' : ';'} ${advice}`
    found.set(`${device} ${connected}`, { device, connected, containers, what, ...consequence, text })
  }
  return [...found.values()]
}

/** Those of every family in which a config has a network. */
export function overlapsOf(
  { ranges }: { readonly ranges: SomeFamily<SubnetRange> },
  externals: ByFamily<{ readonly index: number }>,
  host: HostNetwork,
): readonly Overlap[] {
  const found = mapFamilies(ranges, (range, family) => {
    const external = inFamily(externals, family)
    return external === undefined ? [] : overlapsIn(range, host, external.index)
  })
  return valuesOf(found).flat()
}

/** Why this host cannot be in the networks of a config; undefined when it can. */
export function overlapWith(...of: Parameters<typeof overlapsOf>): string | undefined {
  return overlapsOf(...of).find(({ containers }) => !containers)?.text
}

/** A bridge without a physical port and without a route out: only containers of this host are on it. */
function isContainers(host: HostNetwork, { index, kind }: HostLink): boolean {
  if (kind !== 'bridge') return false
  if (host.routes.some((route) => route.index === index && route.gateway !== undefined)) return false
  return host.links.every(({ master, kind }) => master !== index || kind === 'veth' || kind === 'tun')
}

type Consequence = Pick<Overlap, 'effect' | 'advice' | 'run'>

const OF_LAN: Consequence = {
  effect: "peers' routes would hide hosts there",
  advice: 'choose another Network, or force it with -force-network-overlap',
  run: null,
}

function ofContainers(network: Prefix, device: string): Consequence {
  const effect = 'containers there and containers of peers may have the same addresses, and do not reach each other'
  if (device === 'docker0') {
    const run = 'flanneld docker-opts'
    return { effect, advice: `start dockerd with the leased subnet: ${run}, and restart dockerd`, run }
  }
  const apart = `with a subnet outside ${network}`
  if (/^br-[0-9a-f]{12}$/.test(device)) {
    const run = `docker network inspect ${device.slice(3)}`
    return { effect, advice: `make that Docker network again ${apart}: ${run}`, run }
  }
  return { effect, advice: `make it again ${apart}, or choose another Network`, run: null }
}
