// IP-in-IP devices (ip-link(8), net/ipv4/ipip.c).
import { changeIpip, createIpip } from '../../netlink/link.ts'
import { UNSPECIFIED } from '../objects.ts'
import type { IpipLink } from '../state.ts'
import type { LinkDriver } from './link-driver.ts'

export const ipipDriver: LinkDriver<IpipLink> = {
  type: 'ipip',
  missing: 'this kernel has no ipip: load the module with modprobe ipip, or set Backend.Type to vxlan',
  isOf: ({ ipip }) => ipip !== undefined,
  read: ({ name, ipip, mtu, up }) => ({
    kind: 'link',
    type: 'ipip',
    name,
    // A device for one peer cannot carry packets to the others.
    local: ipip?.remote === undefined ? (ipip?.local ?? UNSPECIFIED) : UNSPECIFIED,
    mtu,
    up,
  }),
  // A device for one peer stays one (ip_tunnel_changelink in net/ipv4/ip_tunnel.c: EINVAL).
  changeable: (_, found) => found.local !== UNSPECIFIED,
  create: ({ name, mtu, local }) => Promise.resolve(createIpip(name, { mtu, local })),
  change: ({ local }, { index, ipip }) =>
    Promise.resolve(ipip?.local === local && ipip.remote === undefined ? undefined : changeIpip(index, local)),
}
