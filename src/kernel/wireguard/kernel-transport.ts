// WireGuard devices of the kernel, by generic netlink.
import { KernelError } from '../../errors.ts'
import type { NetlinkConnection } from '../../netlink/connection.ts'
import { ERRNO, kernelError } from '../../netlink/errno.ts'
import { genericFamilyIfAny, openGeneric } from '../../netlink/generic.ts'
import {
  WIREGUARD,
  type WireguardDeviceWrite,
  type WireguardPeerWrite,
  type WireguardRecord,
  askWireguard,
  readWireguard,
  writeWireguard,
  writeWireguardPeer,
} from '../../netlink/wireguard.ts'
import type { WireguardTransport } from './transport.ts'

/** There is no device of that name, or it is none of WireGuard's. */
const NOT_THERE: readonly number[] = [ERRNO.ENODEV, ERRNO.EOPNOTSUPP]

/** A connection and the number of the family on it. */
interface Opened {
  readonly connection: NetlinkConnection
  readonly family: number
}

export class KernelTransport implements WireguardTransport {
  readonly #netns: string | undefined
  #opened: Opened | undefined

  constructor(netns: string | undefined) {
    this.#netns = netns
  }

  async read(device: string): Promise<WireguardRecord | undefined> {
    const opened = await this.#open()
    if (opened === undefined) return undefined
    let found: WireguardRecord | undefined
    try {
      await opened.connection.dump(`read ${device}`, askWireguard(opened.family, device), () => {
        found = undefined
        return (message) => {
          found = readWireguard(message, found)
        }
      })
    } catch (error) {
      if (error instanceof KernelError && NOT_THERE.includes(error.errno)) return undefined
      throw error
    }
    return found
  }

  async write(device: string, change: WireguardDeviceWrite): Promise<void> {
    const { connection, family } = await this.#need(device)
    await connection.request(device, writeWireguard(family, device, change))
  }

  async writePeers(device: string, peers: readonly WireguardPeerWrite[]): Promise<ReadonlyMap<number, KernelError>> {
    const { connection, family } = await this.#need(device)
    const refused = await connection.batch(peers.map((peer) => writeWireguardPeer(family, device, peer)))
    return new Map([...refused].map(([at, refusal]) => [at, kernelError(device, refusal)]))
  }

  close(): void {
    this.#opened?.connection.close()
    this.#opened = undefined
  }

  async #need(device: string): Promise<Opened> {
    const opened = await this.#open()
    if (opened === undefined) throw kernelError(device, { errno: ERRNO.ENODEV, detail: 'this kernel has no wireguard' })
    return opened
  }

  /** The family is there once the module is loaded, which the first device does. */
  async #open(): Promise<Opened | undefined> {
    if (this.#opened !== undefined) return this.#opened
    const connection = openGeneric(this.#netns)
    try {
      const family = await genericFamilyIfAny(connection, WIREGUARD)
      if (family !== undefined) return (this.#opened = { connection, family })
    } catch (error) {
      connection.close()
      throw error
    }
    connection.close()
    return undefined
  }
}
