// VXLAN devices (ip-link(8), drivers/net/vxlan).
import type { Mac } from '../../ip/mac.ts'
import { ERRNO, kernelError } from '../../netlink/errno.ts'
import { changeVxlan, createVxlan } from '../../netlink/link.ts'
import type { Devices } from '../devices.ts'
import { UNSPECIFIED } from '../objects.ts'
import type { VxlanLink } from '../state.ts'
import type { LinkDriver } from './link-driver.ts'

export const vxlanDriver: LinkDriver<VxlanLink> = {
  type: 'vxlan',
  missing: 'this kernel has no vxlan: load the module with modprobe vxlan, or set Backend.Type to host-gw',
  isOf: ({ vxlan }) => vxlan !== undefined,

  // A device that is no VXLAN device, or one for all VNIs, has VNI -1.
  read: (record, nameOf) => {
    const { vxlan } = record
    return {
      kind: 'link',
      type: 'vxlan',
      name: record.name,
      vni: vxlan === undefined || vxlan.external ? -1 : vxlan.vni,
      port: vxlan?.port ?? 0,
      local: vxlan?.local ?? UNSPECIFIED,
      underlay: nameOf(vxlan?.underlay ?? 0),
      mtu: record.mtu,
      mac: record.mac ?? ('00:00:00:00:00:00' as Mac),
      learning: vxlan?.learning ?? false,
      gbp: vxlan?.gbp ?? false,
      up: record.up,
    }
  },

  // VNI, port and GBP are fixed when the device is made (drivers/net/vxlan: "Cannot change ...").
  changeable: (wanted, found) => wanted.vni === found.vni && wanted.port === found.port && wanted.gbp === found.gbp,

  create: async (wanted, devices) => {
    const { name, mtu, mac, local, learning, vni, port, gbp } = wanted
    const settings = { mtu, mac, local, learning, underlay: await underlayOf(devices, wanted) }
    return createVxlan(name, { vni, port, gbp }, settings)
  },

  change: async (wanted, { index, vxlan }, devices) => {
    const underlay = await underlayOf(devices, wanted)
    const differs = {
      ...(wanted.local === vxlan?.local ? {} : { local: wanted.local }),
      ...(underlay === vxlan?.underlay ? {} : { underlay }),
      ...(wanted.learning === vxlan?.learning ? {} : { learning: wanted.learning }),
    }
    return Object.keys(differs).length > 0 ? changeVxlan(index, differs) : undefined
  },
}

async function underlayOf(devices: Devices, wanted: VxlanLink): Promise<number> {
  const underlay = await devices.read(wanted.underlay)
  if (underlay === undefined)
    throw kernelError('rtnetlink', { errno: ERRNO.ENODEV, detail: `no device ${wanted.underlay}` })
  return underlay.index
}
