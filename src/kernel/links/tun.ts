// TUN devices (tuntap.rst): netlink reads, changes and deletes them, but makes none; that takes /dev/net/tun.
import { constants } from 'node:fs'
import { addon } from '../../netlink/addon.ts'
import { ERRNO, kernelError } from '../../netlink/errno.ts'
import { changeLink } from '../../netlink/link.ts'
import type { TunLink } from '../state.ts'
import type { LinkDriver } from './link-driver.ts'

const PATH = '/dev/net/tun'

/** linux/if_tun.h, the same numbers on both architectures. */
const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000

/** struct ifreq: the name, then the flags. */
const IFREQ = 40
const FLAGS_AT = 16

export const tunDriver: LinkDriver<TunLink> = {
  type: 'tun',
  missing: `no ${PATH}: load the module with modprobe tun, and let flanneld use the device node; or set Backend.Type to vxlan`,
  exists: (netns) => {
    const fd = addon().open(PATH, constants.O_RDWR, netns)
    if (fd >= 0) addon().close(fd)
    return fd >= 0
  },
  // One with a MAC is a TAP device.
  isOf: ({ type, mac }) => type === 'tun' && mac === undefined,
  read: ({ name, mtu, up }) => ({ kind: 'link', type: 'tun', name, mtu, up }),
  changeable: () => true,
  create: async ({ name, mtu }, devices) => {
    // The program that carries its packets may have made it a moment ago.
    if ((await devices.read(name)) === undefined) make(name, devices.netns)
    const made = await devices.read(name)
    if (made === undefined) throw kernelError('rtnetlink', { errno: ERRNO.ENODEV, detail: `${name} is gone again` })
    return changeLink(made.index, { mtu })
  },
  change: () => Promise.resolve(undefined),
}

/** Makes a device that stays. Throws KernelError. */
function make(name: string, netns: string | undefined): void {
  const sys = addon()
  const fd = sys.open(PATH, constants.O_RDWR, netns)
  if (fd < 0) throw kernelError(PATH, { errno: -fd, detail: tunDriver.missing })
  const request = Buffer.alloc(IFREQ)
  request.write(name, 'latin1')
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, FLAGS_AT)
  const made = sys.ioctl(fd, TUNSETIFF, request)
  // Its argument is a number, not an address: any but 0 is yes.
  const kept = made < 0 ? made : sys.ioctl(fd, TUNSETPERSIST, request)
  sys.close(fd)
  if (kept < 0 && kept !== -ERRNO.EBUSY) throw kernelError(PATH, { errno: -kept, detail: `cannot make ${name}` })
}
