// WireGuard devices (wg(8)): of the kernel, or TUN devices of a program. Key and port are not rtnetlink's (src/kernel/wireguard).
import { createWireguard } from '../../netlink/link.ts'
import { isWireguardName } from '../flannel-link.ts'
import type { WireguardLink } from '../state.ts'
import type { LinkDriver } from './link-driver.ts'

export const wireguardDriver: LinkDriver<WireguardLink> = {
  type: 'wireguard',
  missing:
    'this kernel has no wireguard: load the module with modprobe wireguard, or name a program by -wireguard-go (Debian package wireguard-go)',
  isOf: ({ type, name }) => type === 'wireguard' || (type === 'tun' && isWireguardName(name)),
  // A device that does not answer has a port that none has.
  read: ({ name, mtu, up, wireguard }) => ({
    kind: 'link',
    type: 'wireguard',
    name,
    port: wireguard?.port ?? -1,
    publicKey: wireguard?.publicKey ?? '',
    mtu,
    up,
  }),
  changeable: (_, found) => found.port !== -1,
  create: ({ name, mtu }) => Promise.resolve(createWireguard(name, { mtu })),
  change: () => Promise.resolve(undefined),
}
