// How a WireGuard device is read and configured: the kernel's by generic netlink, a program's by its socket.
import type { KernelError } from '../../errors.ts'
import type { WireguardDeviceWrite, WireguardPeerWrite, WireguardRecord } from '../../netlink/wireguard.ts'

export interface WireguardTransport {
  /** A device with its peers; undefined when there is no such device, or its program does not answer. Rejects with KernelError. */
  read(device: string): Promise<WireguardRecord | undefined>
  /** Rejects with KernelError. */
  write(device: string, change: WireguardDeviceWrite): Promise<void>
  /** Writes peers in this order. Resolves with those refused, by their index. Rejects with KernelError. */
  writePeers(device: string, peers: readonly WireguardPeerWrite[]): Promise<ReadonlyMap<number, KernelError>>
  close(): void
}
