// What differs between the types of devices we make. src/kernel/apply-link.ts has what is the same for all of them.
import type { LinkRecord } from '../../netlink/link.ts'
import type { Encode } from '../../netlink/message.ts'
import type { Devices } from '../devices.ts'
import type { NameOf } from '../objects.ts'
import type { Link } from '../state.ts'

/** How one type of device is made, read and changed. */
export interface LinkDriver<L extends Link> {
  readonly type: L['type']
  /** What to say when this kernel cannot make one: the cause and what to do. */
  readonly missing: string
  /** Whether this kernel can make one, where it does not say so to the question for all types. */
  exists?(netns: string | undefined): boolean
  /** Whether a device read from the kernel is of this type. */
  isOf(record: LinkRecord): boolean
  /** The device as a value of ours; every field differs from what any plan wants where the device is of another type. */
  read(record: LinkRecord, nameOf: NameOf): L
  /** Whether a living device can become `wanted`, or has to be made again. */
  changeable(wanted: L, found: L): boolean
  /** The message that makes it, down. Throws KernelError when a device it needs is missing. */
  create(wanted: L, devices: Devices): Promise<Encode>
  /** The message that changes what only this type has; undefined when nothing of that differs. Throws KernelError. */
  change(wanted: L, found: LinkRecord, devices: Devices): Promise<Encode | undefined>
}
