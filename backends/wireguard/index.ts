// wireguard: packets to a peer travel encrypted in UDP between the hosts. Devices, ports, leases and key file are those of Go's
// flanneld, but for two things: the device and its sessions stay when the daemon stops, and each peer has a route of its own.
import type { Backend } from '../../src/backend.ts'
import {
  LEAST_WIREGUARD_MTU,
  WIREGUARD_KEYS,
  type WireguardConfig,
  type WireguardData,
  parseWireguardConfig,
  parseWireguardData,
} from './config.ts'
import {
  KEY_NAME,
  deviceObjects,
  listenPort,
  peerObjectsOf,
  portKey,
  wireguardMtu,
  wrapsInWireguard,
} from './kernel-objects.ts'

export const wireguard: Backend<WireguardConfig, WireguardData> = {
  type: 'wireguard',
  encrypts: () => true,
  configKeys: WIREGUARD_KEYS,
  parseConfig: parseWireguardConfig,
  refuses: ({ name, family, mtu: most }) =>
    most >= LEAST_WIREGUARD_MTU[family]
      ? undefined
      : `the MTU of ${name} is ${most}: wireguard needs ${LEAST_WIREGUARD_MTU[family]} at least`,
  requires: (self) => [
    { type: 'link', key: 'Backend.Type', link: 'wireguard' },
    {
      type: 'udp-port',
      key: `Backend.${portKey(self)}`,
      port: listenPort(self),
    },
  ],
  prepares: () => [{ type: 'wireguard-key', name: KEY_NAME }],
  // Packets of strangers are dropped by the device: they have no key.
  receives: () => [],
  mtu: wireguardMtu,
  receivesDirectly: () => false,
  leaseData: (self) => ({ PublicKey: self.prepared.get(KEY_NAME) ?? '', Port: listenPort(self) }),
  parsePeerData: parseWireguardData,
  sessionOf: ({ data: { publicKey } }) => ({ type: 'wireguard', publicKey }),
  exclusive: ({ publicKey }) => publicKey,
  base: deviceObjects,
  forPeer: peerObjectsOf,
  wraps: wrapsInWireguard,
}
