// Device names and their indexes: the kernel's messages speak in numbers, we speak in names.
// Invariant: a copy of the kernel's list as of the last refresh; who relies on it refreshes first, or copes with ENODEV.
import type { Connection } from '../netlink/connection.ts'
import { ERRNO } from '../netlink/errno.ts'
import { type LinkRecord, askLink, askLinks, readLink } from '../netlink/link.ts'
import { KernelError } from '../errors.ts'

/** The devices of one network namespace. */
export class Devices {
  readonly #connection: Connection
  readonly #byName = new Map<string, LinkRecord>()
  readonly #byIndex = new Map<number, LinkRecord>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** All devices as last read. */
  get all(): Iterable<LinkRecord> {
    return this.#byIndex.values()
  }

  /** Reads all devices. Throws KernelError. */
  async refresh(): Promise<void> {
    await this.#connection.dump('read devices', askLinks, () => {
      this.#byName.clear()
      this.#byIndex.clear()
      return (message) => this.set(readLink(message))
    })
  }

  /** Reads one device by name; undefined when there is none. Throws KernelError. */
  async read(name: string): Promise<LinkRecord | undefined> {
    const found: LinkRecord[] = []
    try {
      await this.#connection.request(`read device ${name}`, askLink(name), (message) => found.push(readLink(message)))
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== ERRNO.ENODEV) throw error
      const old = this.#byName.get(name)
      if (old !== undefined) this.delete(old.index)
    }
    for (const link of found) this.set(link)
    return found[0]
  }

  /** Takes over what a notification said. */
  set(link: LinkRecord): void {
    this.delete(link.index)
    this.#byName.set(link.name, link)
    this.#byIndex.set(link.index, link)
  }

  /** Forgets a device that is gone. */
  delete(index: number): void {
    const old = this.#byIndex.get(index)
    if (old === undefined) return
    this.#byIndex.delete(index)
    if (this.#byName.get(old.name) === old) this.#byName.delete(old.name)
  }

  /** The index of a device, as last read. */
  indexOf(name: string): number | undefined {
    return this.#byName.get(name)?.index
  }

  /** The name of a device, as last read; empty when unknown. */
  nameOf(index: number): string {
    return this.#byIndex.get(index)?.name ?? ''
  }
}
