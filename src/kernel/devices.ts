// Device names and their indexes: the kernel's messages speak in numbers, we speak in names.
// Invariant: as of the last reading of each device; who relies on it reads first, or copes with ENODEV. Devices are read one
// by one: of the thousands that containers may have, and that come and go while a list is made, few concern us.
import type { NetlinkConnection } from '../netlink/connection.ts'
import { ERRNO } from '../netlink/errno.ts'
import { type LinkRecord, askLink, askLinkAt, askLinks, readLink } from '../netlink/link.ts'
import type { Encode } from '../netlink/message.ts'
import { KernelError } from '../errors.ts'
import type { NameOf } from './objects.ts'

/** From this count on, one list costs less than single requests. */
const MANY = 64

/** The devices of one network namespace. */
export class Devices {
  readonly #connection: NetlinkConnection
  readonly #byName = new Map<string, LinkRecord>()
  readonly #byIndex = new Map<number, LinkRecord>()
  /** Those requested by name: read again with each refresh. */
  readonly #followed = new Set<string>()

  constructor(connection: NetlinkConnection) {
    this.#connection = connection
  }

  /** The path of their network namespace; undefined for the process's own. */
  get netns(): string | undefined {
    return this.#connection.netns
  }

  /** All devices as last read. */
  get all(): Iterable<LinkRecord> {
    return this.#byIndex.values()
  }

  /** Reads every device. Throws KernelError. */
  async readAll(): Promise<void> {
    const seen = new Set<number>()
    await this.#connection.dump('read devices', askLinks, () => {
      this.#byName.clear()
      this.#byIndex.clear()
      return (message) => {
        const link = readLink(message)
        seen.add(link.index)
        this.set(link)
      }
    })
    // An interrupted dump may have passed over a device that an earlier attempt saw.
    for (const index of seen) if (!this.#byIndex.has(index)) await this.#readAt(index)
  }

  /** Reads these devices, and those that were asked for before. Throws KernelError. */
  async refresh(names: Iterable<string> = []): Promise<void> {
    for (const name of names) this.#followed.add(name)
    for (const name of this.#followed) await this.read(name)
  }

  /** Reads one device by name; undefined when there is none. Throws KernelError. */
  async read(name: string): Promise<LinkRecord | undefined> {
    const found = await this.#ask(`read device ${name}`, askLink(name))
    const old = this.#byName.get(name)
    if (found === undefined && old !== undefined) this.delete(old.index)
    return found
  }

  /** What devices are called now; the empty text for those that are gone. Throws KernelError. */
  async names(indexes: Iterable<number>): Promise<NameOf> {
    const distinct = [...new Set(indexes)].filter((index) => index !== 0)
    if (distinct.length > MANY) await this.readAll()
    for (const index of distinct) if (distinct.length <= MANY || !this.#byIndex.has(index)) await this.#readAt(index)
    return (index) => this.nameOf(index)
  }

  /** Takes over what a notification said. */
  set(link: LinkRecord): void {
    this.delete(link.index)
    const namesake = this.#byName.get(link.name)
    if (namesake !== undefined) this.#byIndex.delete(namesake.index)
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

  /** The device of this name, as last read. */
  get(name: string): LinkRecord | undefined {
    return this.#byName.get(name)
  }

  /** The index of a device, as last read. */
  indexOf(name: string): number | undefined {
    return this.#byName.get(name)?.index
  }

  /** The name of a device, as last read; empty when unknown. */
  nameOf(index: number): string {
    return this.#byIndex.get(index)?.name ?? ''
  }

  /** Whether the device of this index is among those that each refresh reads. */
  isFollowed(index: number): boolean {
    return this.#followed.has(this.nameOf(index))
  }

  async #readAt(index: number): Promise<void> {
    if ((await this.#ask(`read device ${index}`, askLinkAt(index))) === undefined) this.delete(index)
  }

  async #ask(what: string, encode: Encode): Promise<LinkRecord | undefined> {
    const found: LinkRecord[] = []
    try {
      await this.#connection.request(what, encode, (message) => found.push(readLink(message)))
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== ERRNO.ENODEV) throw error
    }
    for (const link of found) this.set(link)
    return found[0]
  }
}
