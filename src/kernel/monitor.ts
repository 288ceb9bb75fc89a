// Receives the kernel's notifications of foreign changes (rtnetlink(7) multicast), on a socket of its own.
// Invariant: what we write ourselves is no drift; everything else that concerns us is, at once. A socket that had to drop
// notifications, or failed and was replaced, is reported as overrun, and monitoring continues.
import type { KernelError } from '../errors.ts'
import type { Mac } from '../ip/mac.ts'
import { type Address, fromNumber, isUnicast } from '../ip/address.ts'
import { type Prefix, addressOf as baseOf, prefixOf } from '../ip/prefix.ts'
import { readAddress } from '../netlink/address.ts'
import type { Message } from '../netlink/attribute.ts'
import * as nl from '../netlink/constants.ts'
import { readLink } from '../netlink/link.ts'
import { readNeighbor } from '../netlink/neighbor.ts'
import { readNexthop } from '../netlink/nexthop.ts'
import { readRoute } from '../netlink/route.ts'
import { Devices } from './devices.ts'
import type { Drift } from './kernel.ts'
import type { LiveKernel } from './live.ts'
import { type Listener, Notifications } from './notifications.ts'
import { linkOf } from './links/drivers.ts'
import { UNSPECIFIED, interfaceAddressOf, neighborOf, nexthopOf, routeOf } from './objects.ts'
import { POLICY_GROUPS, PolicyListener, hasNoXfrm } from './policies.ts'
import { type KernelObject, type Kind, type Nexthop, type Route, keyOf } from './state.ts'

/** What concerns us, asked again for each notification; and whom to notify. */
export interface MonitorOptions {
  /** Whether a device is one of ours, such as flannel.1. */
  isOurDevice(name: string): boolean
  /** Whether a device is the external interface or might become it, or an address on it is the one we had. */
  isExternalDevice(device: string, address?: Address): boolean
  /** Whether an address is that of a peer's VTEP: a permanent neighbor of ours is deleted without notice that it was permanent. */
  isPeersVtep(address: Address): boolean
  /** Whether a destination lies in a network of ours. */
  isOurNetwork(destination: Prefix): boolean
  /** Something that concerns us was changed by others, or (overrun) may have been. */
  onDrift(drift: Drift): void
  /**
   * An external device, an address on it, a network on its LAN or a default route changed; `what` names it. `routesOver` is
   * the device over which the kernel may now have fewer routes of ours than we know, without a word: one set down, without an
   * address it had, or with another network on its LAN, over which it may also take again what it refused.
   */
  onExternalChange(what: string, routesOver?: string): void
  /** The socket failed, the first time in a while; another is opened, and then an overrun reported. */
  onFailure(error: KernelError): void
}

/** 60,000 notifications take about 60 MB of socket buffer (measured: none lost at 128 MB). */
const RECEIVE_BUFFER = 128 * 1024 * 1024

/** Three policies a peer, at 300 bytes. */
const POLICY_BUFFER = 8 * 1024 * 1024

/** Protocol number of routes the kernel makes by itself (RTPROT_KERNEL): they follow devices and addresses. */
const KERNEL_PROTOCOL = 2

const ZERO_MAC = '00:00:00:00:00:00' as Mac

/** Watches until the signal aborts. Resolves when watching, so that whatever changes from then on is reported. Throws KernelError. */
export async function startMonitor(
  kernel: LiveKernel,
  options: MonitorOptions,
  signal: AbortSignal,
  bufferBytes: number = RECEIVE_BUFFER,
): Promise<void> {
  const devices = new Devices(kernel.connection)
  const monitor = new Monitor(kernel, devices, options)
  const notifications = new Notifications(kernel.connection.netns, bufferBytes, monitor, signal)
  try {
    await devices.readAll()
    signal.throwIfAborted()
  } catch (error) {
    notifications.close()
    throw error
  }
  kernel.ownWrites.drain = () => {
    notifications.drain()
  }
  signal.addEventListener('abort', () => {
    kernel.ownWrites.drain = () => undefined
  })
  notifications.listen()
  watchPolicies(kernel, options, signal)
}

/** A kernel without IPsec has nothing to report. Throws KernelError. */
function watchPolicies(kernel: LiveKernel, options: MonitorOptions, signal: AbortSignal): void {
  const listener = new PolicyListener({
    ownPort: () => kernel.xfrm.port,
    failed: (error) => {
      options.onFailure(error)
    },
    missed: () => {
      options.onDrift({ type: 'overrun' })
    },
    changed: (policy, what) => {
      const ends = policy === undefined ? [] : [policy.source, policy.destination]
      if (policy === undefined || ends.some((end) => options.isOurNetwork(end)))
        options.onDrift({ type: 'drift', kind: 'policy', what })
    },
  })
  try {
    new Notifications(kernel.connection.netns, POLICY_BUFFER, listener, signal, POLICY_GROUPS).listen()
  } catch (error) {
    if (!hasNoXfrm(error)) throw error
  }
}

class Monitor implements Listener {
  readonly #kernel: LiveKernel
  readonly #devices: Devices
  readonly #options: MonitorOptions
  readonly #nameOf = (index: number): string => this.#devices.nameOf(index)

  constructor(kernel: LiveKernel, devices: Devices, options: MonitorOptions) {
    this.#kernel = kernel
    this.#devices = devices
    this.#options = options
  }

  prepare(): Promise<void> {
    return this.#devices.readAll()
  }

  missed(): void {
    // A device may have come among what was lost; until its name is known its entries look foreign.
    this.#devices.readAll().catch(() => undefined)
    this.#options.onDrift({ type: 'overrun' })
    this.#options.onExternalChange('anything')
  }

  failed(error: KernelError): void {
    this.#options.onFailure(error)
  }

  take(message: Message): void {
    switch (message.type) {
      case nl.RTM_NEWLINK:
      case nl.RTM_DELLINK: {
        this.#link(message)
        return
      }
      case nl.RTM_NEWADDR:
      case nl.RTM_DELADDR: {
        this.#address(message)
        return
      }
      case nl.RTM_NEWNEIGH:
      case nl.RTM_DELNEIGH: {
        this.#neighbor(message)
        return
      }
      case nl.RTM_NEWROUTE:
      case nl.RTM_DELROUTE: {
        this.#route(message)
        return
      }
      case nl.RTM_NEWNEXTHOP:
      case nl.RTM_DELNEXTHOP: {
        this.#nexthop(message)
        return
      }
    }
  }

  #link(message: Message): void {
    const record = readLink(message)
    // A bridge reports its ports in messages that look the same (family AF_BRIDGE) and say nothing of the device.
    if (message.u8(0) !== nl.AF_UNSPEC) return
    const before = this.#nameOf(record.index)
    if (message.type === nl.RTM_DELLINK) this.#devices.delete(record.index)
    else this.#devices.set(record)
    for (const name of new Set([record.name, before])) {
      if (this.#options.isOurDevice(name)) this.#drift('link', message, linkOf({ ...record, name }, this.#nameOf))
      if (this.#options.isExternalDevice(name)) this.#options.onExternalChange(`link ${name}`, name)
    }
  }

  #address(message: Message): void {
    const record = readAddress(message)
    if (record === undefined) return
    const device = this.#nameOf(record.index)
    if (this.#options.isExternalDevice(device, record.address)) {
      const what = `address ${device} ${record.address}/${record.length}`
      if (message.type === nl.RTM_DELADDR) this.#options.onExternalChange(what, device)
      else this.#options.onExternalChange(what)
    }
    const object = interfaceAddressOf({ ...record, permanent: true }, this.#nameOf)
    if (object !== undefined && this.#options.isOurDevice(device)) this.#drift('address', message, object)
  }

  #neighbor(message: Message): void {
    const record = readNeighbor(message)
    if (!this.#options.isOurDevice(this.#nameOf(record.index))) return
    // One of ours may come back as no longer permanent, and a deleted one without its MAC.
    const mac = record.mac ?? ZERO_MAC
    const object = neighborOf({ ...record, mac, permanent: true }, this.#nameOf)
    if (object === undefined) return
    const isPeers = object.kind === 'neighbor' && this.#options.isPeersVtep(object.address)
    if (record.permanent || isPeers) this.#drift(object.kind, message, object)
  }

  #route(message: Message): void {
    const record = readRoute(message)
    if (record === undefined) return
    const object = routeOf(record, this.#nameOf)
    if (record.destination === '0.0.0.0/0' || record.destination === '::/0')
      this.#options.onExternalChange('default route')
    else if (record.hop.type === 'device' && isUnicast(baseOf(record.destination))) {
      const device = this.#nameOf(record.hop.index)
      // Ours over neighbours on a LAN are refused while the route to it is missing, and can be had again once it is back.
      if (this.#options.isExternalDevice(device))
        this.#options.onExternalChange(`route ${record.destination} ${device}`, device)
    }
    // Another daemon on this host, for another network, has our protocol number as well.
    const ours =
      record.protocol !== KERNEL_PROTOCOL &&
      (this.#options.isOurNetwork(record.destination) || this.#isOnOurDevice(object))
    if (ours) this.#drift('route', message, object)
  }

  #nexthop(message: Message): void {
    const record = readNexthop(message)
    const object = nexthopOf({ ...record, gateway: record.gateway ?? UNSPECIFIED }, this.#nameOf)
    if (object === undefined) return
    const inNetwork = this.#options.isOurNetwork(prefixOf(fromNumber(object.id), 32))
    if (this.#isOnOurDevice(object) || inNetwork) this.#drift('nexthop', message, object)
  }

  #isOnOurDevice(object: Nexthop | Route): boolean {
    const on = object.kind === 'route' ? object.target : object
    return 'device' in on && this.#options.isOurDevice(on.device)
  }

  #drift(kind: Kind, message: Message, object: KernelObject): void {
    if (message.port === this.#kernel.connection.port) return
    // Deletions have the odd numbers (rtnetlink.h).
    const deleted = (message.type & 1) === 1
    if (message.port === 0 && this.#kernel.ownWrites.has(deleted, object)) return
    this.#options.onDrift({ type: 'drift', kind, what: `${keyOf(object)} ${deleted ? 'deleted' : 'changed'}` })
  }
}
