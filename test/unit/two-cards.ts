// A host with two cards, a bridge, and addresses that come and go.
import type { HostNetwork } from '../../src/kernel/host-network.ts'
import type { InterfaceWish } from '../../src/host/interface-candidate.ts'
import { address, link, route } from './external-interface-host.ts'

export const OWN = '192.168.19.121'
export const VIRTUAL = '192.168.19.200'
export const OTHER = '10.9.0.1'

export const NOTHING: InterfaceWish = {
  iface: [],
  ifaceRegex: [],
  ifaceCanReach: undefined,
  publicIp: undefined,
  publicIpv6: undefined,
}

/** A host with two cards and a bridge; `has` names the addresses it has, in the kernel's order. */
export function hostWith(has: readonly string[], uplink = 2, down: readonly number[] = []): HostNetwork {
  const devices: Readonly<Record<string, number>> = { '192.168.19.121': 2, '192.168.19.200': 2, '10.9.0.1': 3 }
  return {
    links: [
      link(2, 'enp0s3', { up: !down.includes(2) }),
      link(3, 'enp0s8', { up: !down.includes(3) }),
      link(4, 'br-mgmt', { kind: 'bridge' }),
    ],
    addresses: has.map((text) => {
      const [own = '', on] = text.split('@')
      return address(on === undefined ? (devices[own] ?? 2) : Number(on), `${own}/24`)
    }),
    routes: [route('0.0.0.0/0', uplink)],
    asked: new Map(),
  }
}
