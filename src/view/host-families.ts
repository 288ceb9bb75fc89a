// This host in each of its families: interface, address, subnet, and how the network's subnets are used.
import type { ExternalInterface } from '../backend.ts'
import type { Family } from '../ip/address.ts'
import { FAMILIES, inFamily } from '../ip/by-family.ts'
import { type Running, type RunningDaemon, primarySession } from './running-daemon.ts'
import type { HostFamily, NetworkStatus } from './status-shape.ts'

/** Those it has an interface in, and from then on those it has a subnet in. */
export function familiesOfHost(daemon: RunningDaemon): readonly HostFamily[] {
  switch (daemon.phase) {
    case 'starting':
      return []
    case 'joining':
      return FAMILIES.flatMap((family) => {
        const external = inFamily(daemon.host.externals, family)
        return external === undefined ? [] : [{ family, ...placeOf(external), subnet: null, network: null }]
      })
    case 'running': {
      const { subnets, externals } = primarySession(daemon).inputs
      return FAMILIES.flatMap((family) => {
        const subnet = inFamily(subnets, family)
        if (subnet === undefined) return []
        return [{ family, ...placeOf(inFamily(externals, family)), subnet, network: networkOf(daemon, family) }]
      })
    }
  }
}

function placeOf(external: ExternalInterface | undefined): Pick<HostFamily, 'interface' | 'address'> {
  return { interface: external?.name ?? null, address: external?.publicAddress ?? null }
}

function networkOf(running: Running, family: Family): NetworkStatus | null {
  const { leaseStats, options } = running
  const { configuration, subnets } = primarySession(running).inputs
  const [range, own] = [inFamily(configuration.ranges, family), inFamily(subnets, family)]
  if (range === undefined || own === undefined) return null
  const { leased, reserved, refused, free } = leaseStats.usage(options.etcdPrefix, range, own)
  const used = leased + reserved + refused
  return { cidr: range.network, total: used + free, used }
}
