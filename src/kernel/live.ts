// The kernel of one network namespace, in life: Kernel over one netlink connection.
import type { HostNetwork } from '../external-interface/host.ts'
import { Connection, type ConnectionLimits } from '../netlink/connection.ts'
import { Applier } from './apply.ts'
import { Devices } from './devices.ts'
import { OwnWeight, fingerprint } from './fingerprint.ts'
import type { Change, Failure, Kernel } from './kernel.ts'
import { hasNexthops, observe } from './observe.ts'
import { OwnWrites } from './own-writes.ts'
import { readHost } from './read-host.ts'
import type { KernelState, Kind } from './state.ts'

/** Access to a live kernel. */
export class LiveKernel implements Kernel {
  /** For the monitor, which has to tell our writes from others'. */
  readonly connection: Connection
  readonly ownWrites = new OwnWrites()
  readonly #devices: Devices
  readonly #applier: Applier
  readonly #ownWeight = new OwnWeight()

  /** Opens a connection in `netns` (a path; the process's own by default). Throws KernelError or OperatorError. */
  constructor(netns?: string, limits?: ConnectionLimits) {
    this.connection = new Connection(netns, limits)
    this.#devices = new Devices(this.connection)
    this.#applier = new Applier(this.connection, this.#devices, this.ownWrites, this.#ownWeight)
  }

  observe(kind: Kind, devices: readonly string[]): Promise<KernelState> {
    return observe(this.connection, this.#devices, kind, devices)
  }

  fingerprint(kind: Kind, devices: readonly string[]): Promise<number | undefined> {
    const indexes = devices.map((name) => this.#devices.indexOf(name)).filter((index) => index !== undefined)
    return fingerprint(this.connection, kind, indexes, this.#ownWeight)
  }

  apply(changes: readonly Change[]): Promise<readonly Failure[]> {
    return this.#applier.apply(changes)
  }

  /** Whether this kernel has nexthop objects (5.3+). */
  hasNexthops(): Promise<boolean> {
    return hasNexthops(this.connection)
  }

  /** Links, addresses and routes as the choice of the external interface wants them. */
  readHost(): Promise<HostNetwork> {
    return readHost(this.connection)
  }

  /** Closes the connection. */
  close(): void {
    this.connection.close()
  }
}
