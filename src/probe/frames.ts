// IP packets sent past the routes, in a frame to one neighbour: so that it shows whether a network carries what no route sends yet.
import { addon } from '../netlink/addon.ts'
import { type Family, familyOf } from '../ip/address.ts'
import type { Address } from '../ip/address.ts'
import { type Mac, macToBytes } from '../ip/mac.ts'

/** A neighbour: the index of the device that leads to it, and its MAC there. */
export interface FrameTarget {
  readonly index: number
  readonly mac: Mac
}

/** Numbers of packet(7), if_ether.h and if_packet.h. */
const AF_PACKET = 17
const SOCK_DGRAM = 2
const ETH_P: Readonly<Record<Family, number>> = { 4: 0x0800, 6: 0x86dd }
const SOCKADDR_LL = 20

/** A packet socket that only sends. */
export class Frames {
  #fd: number | undefined

  /** Sends an IP packet whose checksums are all there; why not, or undefined. */
  send(packet: Uint8Array, destination: Address, target: FrameTarget): string | undefined {
    // Protocol 0: nothing is received.
    this.#fd ??= addon().socket(AF_PACKET, SOCK_DGRAM, 0)
    if (this.#fd < 0) return this.#failed(this.#fd)
    const sent = addon().sendTo(this.#fd, packet, packet.length, sockaddr(familyOf(destination), target))
    return sent < 0 ? this.#failed(sent) : undefined
  }

  close(): void {
    if (this.#fd !== undefined && this.#fd >= 0) addon().close(this.#fd)
    this.#fd = undefined
  }

  #failed(errno: number): string {
    this.close()
    return `packet socket: errno ${-errno}`
  }
}

/** struct sockaddr_ll (packet(7)); the kernel writes the frame's header itself. */
function sockaddr(family: Family, { index, mac }: FrameTarget): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(SOCKADDR_LL))
  bytes.setUint16(0, AF_PACKET, true)
  bytes.setUint16(2, ETH_P[family])
  bytes.setInt32(4, index, true)
  const address = macToBytes(mac)
  bytes.setUint8(11, address.length)
  const whole = new Uint8Array(bytes.buffer)
  whole.set(address, 12)
  return whole
}
