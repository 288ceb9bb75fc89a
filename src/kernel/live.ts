// The kernel of one network namespace, in life: Kernel over one netlink connection.
import type { AskedRoutes, HostNetwork } from './host-network.ts'
import type { Address } from '../ip/address.ts'
import { WIREGUARD_DEVICES } from './flannel-link.ts'
import { SESSION_MS } from './wireguard/roaming.ts'
import { KernelError } from '../errors.ts'
import type { Mac } from '../ip/mac.ts'
import { NetlinkConnection, type ConnectionLimits } from '../netlink/connection.ts'
import { ERRNO } from '../netlink/errno.ts'
import { askLinkType } from '../netlink/link.ts'
import { askNeighbor, readNeighbor } from '../netlink/neighbor.ts'
import { KernelWriter } from './apply.ts'
import { Devices } from './devices.ts'
import { driverFor, driverOf } from './links/drivers.ts'
import { OwnWeight, digestOf, fingerprint } from './fingerprint.ts'
import type { KernelChange, Failure, Kernel } from './kernel.ts'
import { hasNexthops, observe } from './observe.ts'
import { OwnWrites } from './own-writes.ts'
import { XfrmConnection } from './policies.ts'
import { ownAssociations } from './associations.ts'
import { ConnectedHosts, type PeerSession } from './peer-session.ts'
import { askKernel, readHost } from './read-host.ts'
import type { KernelState, Kind, LinkType } from './state.ts'
import type { WireguardRecord } from '../netlink/wireguard.ts'
import { Wireguard, type WireguardOptions } from './wireguard/wireguard.ts'

/** What a kernel is opened with. */
export interface KernelOptions extends ConnectionLimits {
  readonly wireguard?: WireguardOptions
}

/** Access to a live kernel. */
export class LiveKernel implements Kernel {
  /** For the monitor, which has to distinguish our writes from others'. */
  readonly connection: NetlinkConnection
  readonly ownWrites = new OwnWrites()
  /** For policies. */
  readonly xfrm: XfrmConnection
  readonly #devices: Devices
  readonly #wireguard: Wireguard
  readonly #connected = new ConnectedHosts(ownAssociations)
  readonly #tools: ConstructorParameters<typeof KernelWriter>[0]
  readonly #applier: KernelWriter
  readonly #ownWeight = new OwnWeight()
  /** The weight of what other programs made, by the last fingerprint of a kind; and the routes last read, with theirs. */
  readonly #foreign = new Map<Kind, number>()
  #routes: { readonly routes: HostNetwork['routes']; readonly weight: number } | undefined

  /** Opens a connection in `netns` (a path; the process's own by default). Throws KernelError or OperatorError. */
  constructor(netns?: string, { wireguard, ...limits }: KernelOptions = {}) {
    this.connection = new NetlinkConnection(netns, limits)
    this.xfrm = new XfrmConnection(netns, limits)
    this.#devices = new Devices(this.connection)
    this.#wireguard = new Wireguard(netns, this.#devices, wireguard)
    this.#tools = { connection: this.connection, devices: this.#devices, wireguard: this.#wireguard, xfrm: this.xfrm }
    this.#applier = new KernelWriter(this.#tools, this.ownWrites, this.#ownWeight)
  }

  observe(kind: Kind, devices: readonly string[]): Promise<KernelState> {
    return kind === 'policy' ? this.xfrm.observe() : observe(this.#tools, kind, devices)
  }

  async fingerprint(kind: Kind, devices: readonly string[]): Promise<number | undefined> {
    if (kind === 'wireguard-peer') return digestOf(await this.#wireguard.noticeable(devices), this.#ownWeight.sum(kind))
    const indexes = devices.map((name) => this.#devices.indexOf(name)).filter((index) => index !== undefined)
    const found = await fingerprint(this.connection, kind, indexes, this.#ownWeight)
    this.#foreign.set(kind, found?.foreign ?? 0)
    return found?.digest
  }

  apply(changes: readonly KernelChange[]): Promise<readonly Failure[]> {
    return this.#applier.apply(changes)
  }

  /** Whether this kernel has nexthop objects (5.3+). */
  hasNexthops(): Promise<boolean> {
    return hasNexthops(this.connection)
  }

  /** Whether this kernel can make devices of a type, by itself or by a module; undefined when we may not ask. Throws KernelError. */
  async hasLinkType(type: LinkType): Promise<boolean | undefined> {
    if (type === 'wireguard' && this.#wireguard.program !== undefined) return true
    const exists = driverOf(type).exists?.(this.connection.netns)
    if (exists !== undefined) return exists
    try {
      await this.connection.request(`ask for ${type}`, askLinkType(type))
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      if (error.errno === ERRNO.EOPNOTSUPP) return false
      if (error.errno === ERRNO.EPERM) return undefined
    }
    return true
  }

  /** The program that makes WireGuard devices in place of the kernel. */
  get wireguardProgram(): string | undefined {
    return this.#wireguard.program
  }

  /** What a WireGuard device of ours says of its peers; undefined when there is none of that name. Throws KernelError. */
  wireguard(device: string): Promise<WireguardRecord | undefined> {
    return this.#wireguard.device(device)
  }

  /** Whether a session with a peer is there. Throws KernelError. */
  async isConnected(session: PeerSession): Promise<boolean> {
    if (session.type === 'ipsec') return this.#connected.has(session.remote)
    const { publicKey } = session
    const latest = await Promise.all(
      Object.values(WIREGUARD_DEVICES).map((name) => this.#wireguard.handshake(name, publicKey)),
    )
    return latest.some((at) => Date.now() - at < SESSION_MS)
  }

  /** A device of any kind: its kind and MAC, and the name of the bridge or bond it is a port of. Throws KernelError. */
  async device(name: string): Promise<{ type: string; mac: Mac | undefined; master: string } | undefined> {
    const found = await this.#devices.read(name)
    if (found === undefined) return undefined
    const nameOf = await this.#devices.names([found.master])
    const master = found.master === 0 ? '' : nameOf(found.master)
    return { type: driverFor(found)?.type ?? found.type, mac: found.mac, master }
  }

  /**
   * Links, addresses and routes as the choice of the external interface wants them, and the kernel's answers to its
   * `questions`. Routes are those read last, where the last audit saw the same ones.
   */
  async readHost(questions: readonly Address[] = []): Promise<HostNetwork> {
    const audited = (this.#foreign.get('route') ?? Number.NaN) + (this.#foreign.get('nexthop') ?? Number.NaN)
    if (this.#routes?.weight === audited) {
      return (await readHost(this.connection, questions, this.#routes.routes)).host
    }
    const { host, weight } = await readHost(this.connection, questions)
    this.#routes = { routes: host.routes, weight }
    return host
  }

  /** Where packets to each of these go, by the kernel's own word. Throws KernelError. */
  askRoutes(targets: readonly Address[]): Promise<AskedRoutes> {
    return askKernel(this.connection, targets)
  }

  /** The MAC of a neighbour; undefined where none is known. */
  async neighborMac(index: number, address: Address): Promise<Mac | undefined> {
    let mac: Mac | undefined
    try {
      await this.connection.request('ask for a neighbour', askNeighbor(index, address), (message) => {
        mac = readNeighbor(message).mac
      })
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
    }
    return mac
  }

  /** Routes that are not ours were reported changed: they are read again. */
  forgetRoutes(): void {
    this.#routes = undefined
  }

  /** Closes the connection. */
  close(): void {
    this.#wireguard.close()
    this.connection.close()
    this.xfrm.close()
  }
}
