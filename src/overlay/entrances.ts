// The devices of this host on which packets of peers arrive, and how those have to look: what the firewall opens, what the guard
// guards. Pure.
import { isVxlan } from '../kernel/state.ts'
import type { Reception } from '../backend.ts'
import type { Arrival } from '../firewall/nftables/arrival.ts'
import type { Guarded, GuardedDevice } from '../firewall/nftables/guard-ruleset.ts'
import type { FirewallInput } from '../firewall/iptables/rules.ts'
import { valuesOf } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Options } from '../options/type.ts'
import type { HostSelf, Intent } from '../reconcile/intent.ts'

/** A device of the overlay in one family. */
export interface Entrance {
  readonly self: HostSelf
  readonly device: string
  /** Outer packets it takes in from anybody; undefined where it authenticates them itself, as WireGuard does. */
  readonly arrival: Arrival | undefined
}

/** Those of our own backend first, then those kept because peers use, or used, another. */
export function entrancesOf({ active, selves }: Intent): readonly Entrance[] {
  return active.flatMap(({ backend, config }) =>
    valuesOf(selves).flatMap((self) => {
      const links = backend.base({ ...self, config }).flatMap((object) => (object.kind === 'link' ? [object] : []))
      const receptions: readonly Reception[] =
        backend.receives?.({ ...self, config }) ??
        links.filter(isVxlan).map(({ name, port, vni }) => ({ type: 'vxlan', device: name, port, vni }))
      const open = links.filter(({ name }) => receptions.every(({ device }) => device !== name))
      return [
        ...receptions.map((one) => ({ self, device: one.device, arrival: arrivalOf(one) })),
        ...open.map(({ name }) => ({ self, device: name, arrival: undefined })),
      ]
    }),
  )
}

function arrivalOf(reception: Reception): Arrival {
  switch (reception.type) {
    case 'vxlan':
      return { type: 'vxlan', port: reception.port, vni: reception.vni }
    case 'udp':
      return { type: 'udp', port: reception.port }
    case 'protocol':
      return { type: 'protocol', protocol: reception.protocol }
  }
}

/** The devices on which packets of one family arrive; `doors` are the subnets from which they do so unencapsulated. */
export function overlayOf(
  entrances: readonly Entrance[],
  { family, network, external }: HostSelf,
  doors: readonly Prefix[],
): FirewallInput['overlay'] {
  const names = new Set(entrances.flatMap(({ self, device }) => (self.family === family ? [device] : [])))
  return [
    ...Array.from(names, (name) => ({ name, shared: false, from: [network] })),
    ...(doors.length > 0 ? [{ name: external.name, shared: true, from: doors }] : []),
  ]
}

/** What has to be guarded; undefined where nothing has, or with -vxlan-guard=false. */
export function guardedOf(entrances: readonly Entrance[], options: Options): Guarded | undefined {
  const [first, ...others] = entrances.flatMap(({ self, device, arrival }): GuardedDevice[] => {
    if (arrival === undefined) return []
    const { address, publicAddress } = self.external
    return [{ arrival, device, network: self.network, own: [...new Set([address, publicAddress])] }]
  })
  if (!options.vxlanGuard || first === undefined) return undefined
  return { devices: [first, ...others], allowed: options.vxlanGuardAllow }
}
