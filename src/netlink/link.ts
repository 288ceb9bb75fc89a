// Network devices: RTM_*LINK with ifinfomsg { family u8, pad u8, type u16, index i32, flags u32, change u32 } (rtnetlink(7)).
// Invariant: only attributes given are written, so that changing one thing leaves the others alone.
import { type Address, familyOf } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import { Attributes, type Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode, MessageWriter } from './message.ts'

const IFINFOMSG = 16

/** What a VXLAN device was made with. */
interface VxlanInfo {
  readonly vni: number
  readonly port: number
  readonly local: Address | undefined
  /** Index of the device the outer packets leave by; 0 for none. */
  readonly underlay: number
  readonly learning: boolean
  readonly gbp: boolean
  /** Collect-metadata mode: one device for all VNIs, its flows given from outside. */
  readonly external: boolean
}

/** What an IP-in-IP device was made with. */
interface IpipInfo {
  readonly local: Address | undefined
  /** Undefined on a device for all peers. */
  readonly remote: Address | undefined
}

/** What a WireGuard device says of itself, by other means than rtnetlink. */
interface WireguardInfo {
  readonly port: number
  readonly publicKey: string
}

/** A device of any kind. */
export interface LinkRecord {
  readonly index: number
  readonly name: string
  readonly mtu: number
  /** Undefined on devices without an Ethernet address (loopback has a zero one). */
  readonly mac: Mac | undefined
  readonly up: boolean
  /** Carrier. */
  readonly lowerUp: boolean
  readonly loopback: boolean
  /** Index of the bridge or bond it is a port of; 0 for none. */
  readonly master: number
  /** Kind as ip-link(8) names it: "vxlan", "bridge", "veth"; empty for hardware. */
  readonly type: string
  readonly vxlan: VxlanInfo | undefined
  readonly ipip: IpipInfo | undefined
  /** Absent until it was asked for. */
  readonly wireguard?: WireguardInfo | undefined
}

/** Settings of a device that can be written. Underlay is a device index. */
export interface LinkSettings {
  readonly mtu?: number
  readonly mac?: Mac
  readonly up?: boolean
  readonly local?: Address
  readonly underlay?: number
  readonly learning?: boolean
}

/** Settings a VXLAN device gets once and for all. */
export interface VxlanIdentity {
  readonly vni: number
  readonly port: number
  readonly gbp: boolean
}

const info = new Attributes()
const data = new Attributes()

/** Reads RTM_NEWLINK or RTM_DELLINK. */
export function readLink(message: Message): LinkRecord {
  const attributes = message.parse(IFINFOMSG)
  const flags = message.u32(8)
  attributes.nested(nl.IFLA_LINKINFO, info)
  const type = info.text(nl.IFLA_INFO_KIND)
  return {
    index: message.i32(4),
    name: attributes.text(nl.IFLA_IFNAME),
    mtu: attributes.number(nl.IFLA_MTU),
    mac: attributes.mac(nl.IFLA_ADDRESS),
    up: (flags & nl.IFF_UP) !== 0,
    lowerUp: (flags & nl.IFF_LOWER_UP) !== 0,
    loopback: (flags & nl.IFF_LOOPBACK) !== 0,
    master: attributes.number(nl.IFLA_MASTER),
    type,
    vxlan: type === 'vxlan' ? readVxlan(info.nested(nl.IFLA_INFO_DATA, data)) : undefined,
    ipip: type === 'ipip' ? readIpip(info.nested(nl.IFLA_INFO_DATA, data)) : undefined,
  }
}

function readVxlan(data: Attributes): VxlanInfo {
  return {
    vni: data.number(nl.IFLA_VXLAN_ID),
    port: data.be16(nl.IFLA_VXLAN_PORT),
    local: data.address(nl.IFLA_VXLAN_LOCAL) ?? data.address(nl.IFLA_VXLAN_LOCAL6),
    underlay: data.number(nl.IFLA_VXLAN_LINK),
    learning: data.number(nl.IFLA_VXLAN_LEARNING) !== 0,
    gbp: data.has(nl.IFLA_VXLAN_GBP),
    external: data.number(nl.IFLA_VXLAN_COLLECT_METADATA) !== 0,
  }
}

function readIpip(data: Attributes): IpipInfo {
  return { local: addressIn(data, nl.IFLA_IPTUN_LOCAL), remote: addressIn(data, nl.IFLA_IPTUN_REMOTE) }
}

/** Tunnels show the unspecified address where they have none. */
function addressIn(data: Attributes, type: number): Address | undefined {
  const address = data.address(type)
  return address === '0.0.0.0' ? undefined : address
}

/** Asks for every device: for a dump. */
export const askLinks: Encode = (message) => {
  message.header(nl.RTM_GETLINK, 0, IFINFOMSG)
  message.u32(nl.IFLA_EXT_MASK, nl.RTEXT_FILTER_SKIP_STATS)
}

/** Asks for the devices of one kind: for a dump. A kernel that does not know the kind shows all. */
export function askLinksOf(kind: string): Encode {
  return (message) => {
    askLinks(message)
    message.nest(nl.IFLA_LINKINFO, () => {
      message.text(nl.IFLA_INFO_KIND, kind)
    })
  }
}

/** Asks for one device by name. */
export function askLink(name: string): Encode {
  return (message) => {
    askLinks(message)
    message.text(nl.IFLA_IFNAME, name)
  }
}

/** Asks for one device by index. */
export function askLinkAt(index: number): Encode {
  return (message) => {
    askLinks(message)
    message.setU32(4, index)
  }
}

/** Makes a VXLAN device, down; fails when the name is taken. */
export function createVxlan(name: string, identity: VxlanIdentity, settings: LinkSettings): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, IFINFOMSG)
    message.text(nl.IFLA_IFNAME, name)
    writeSettings(message, settings)
    message.nest(nl.IFLA_LINKINFO, () => {
      message.text(nl.IFLA_INFO_KIND, 'vxlan')
      message.nest(nl.IFLA_INFO_DATA, () => {
        message.u32(nl.IFLA_VXLAN_ID, identity.vni)
        message.be16(nl.IFLA_VXLAN_PORT, identity.port)
        if (identity.gbp) message.flag(nl.IFLA_VXLAN_GBP)
        writeVxlan(message, settings)
      })
    })
  }
}

/** Makes an IP-in-IP device for all peers, down; fails when the name is taken, or another device has this local address. */
export function createIpip(name: string, { mtu, local }: Required<Pick<LinkSettings, 'mtu' | 'local'>>): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, IFINFOMSG)
    message.text(nl.IFLA_IFNAME, name)
    writeSettings(message, { mtu })
    writeIpip(message, local)
  }
}

/** Changes the local address of an IP-in-IP device. */
export function changeIpip(index: number, local: Address): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, 0, IFINFOMSG)
    message.setU32(4, index)
    writeIpip(message, local)
  }
}

/** No device can have this name (dev_valid_name in net/core/dev.c). */
const NO_NAME = '/'

/**
 * Asks whether the kernel has a type of devices, without making one: asked for a device of an impossible name, a kernel that has
 * the type says EINVAL, one that has not EOPNOTSUPP.
 */
export function askLinkType(type: string): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, IFINFOMSG)
    message.text(nl.IFLA_IFNAME, NO_NAME)
    message.nest(nl.IFLA_LINKINFO, () => {
      message.text(nl.IFLA_INFO_KIND, type)
    })
  }
}

/** Makes a WireGuard device, down and without a key. */
export function createWireguard(name: string, { mtu }: Pick<LinkSettings, 'mtu'>): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, IFINFOMSG)
    message.text(nl.IFLA_IFNAME, name)
    writeSettings(message, mtu === undefined ? {} : { mtu })
    message.nest(nl.IFLA_LINKINFO, () => {
      message.text(nl.IFLA_INFO_KIND, 'wireguard')
    })
  }
}

/** Changes what every living device has. */
export function changeLink(index: number, settings: Pick<LinkSettings, 'mtu' | 'mac' | 'up'>): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, 0, IFINFOMSG)
    message.setU32(4, index)
    if (settings.up !== undefined) {
      message.setU32(8, settings.up ? nl.IFF_UP : 0)
      message.setU32(12, nl.IFF_UP)
    }
    writeSettings(message, settings)
  }
}

/** Changes an existing VXLAN device. In a message of its own: together with an MTU the kernel refuses it ("Cannot change mtu"). */
export function changeVxlan(index: number, settings: Pick<LinkSettings, 'local' | 'underlay' | 'learning'>): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, 0, IFINFOMSG)
    message.setU32(4, index)
    message.nest(nl.IFLA_LINKINFO, () => {
      message.text(nl.IFLA_INFO_KIND, 'vxlan')
      message.nest(nl.IFLA_INFO_DATA, () => {
        writeVxlan(message, settings)
      })
    })
  }
}

/** Gives a device another name, while it is down. */
export function renameLink(index: number, name: string): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, 0, IFINFOMSG)
    message.setU32(4, index)
    message.text(nl.IFLA_IFNAME, name)
  }
}

/** Keeps IPv6 from giving a device a link-local address of its own accord. */
export function withoutLinkLocal(index: number): Encode {
  return (message) => {
    message.header(nl.RTM_NEWLINK, 0, IFINFOMSG)
    message.setU32(4, index)
    message.nest(nl.IFLA_AF_SPEC, () => {
      message.nest(nl.AF_INET6, () => {
        message.u8(nl.IFLA_INET6_ADDR_GEN_MODE, nl.IN6_ADDR_GEN_MODE_NONE)
      })
    })
  }
}

/** Deletes a device. */
export function deleteLink(index: number): Encode {
  return (message) => {
    message.header(nl.RTM_DELLINK, 0, IFINFOMSG)
    message.setU32(4, index)
  }
}

function writeSettings(message: MessageWriter, settings: LinkSettings): void {
  if (settings.mtu !== undefined) message.u32(nl.IFLA_MTU, settings.mtu)
  if (settings.mac !== undefined) message.mac(nl.IFLA_ADDRESS, settings.mac)
}

function writeVxlan(message: MessageWriter, { local, underlay, learning }: LinkSettings): void {
  if (local !== undefined) message.address(familyOf(local) === 4 ? nl.IFLA_VXLAN_LOCAL : nl.IFLA_VXLAN_LOCAL6, local)
  if (underlay !== undefined) message.u32(nl.IFLA_VXLAN_LINK, underlay)
  if (learning !== undefined) message.u8(nl.IFLA_VXLAN_LEARNING, learning ? 1 : 0)
}

function writeIpip(message: MessageWriter, local: Address): void {
  message.nest(nl.IFLA_LINKINFO, () => {
    message.text(nl.IFLA_INFO_KIND, 'ipip')
    message.nest(nl.IFLA_INFO_DATA, () => {
      message.address(nl.IFLA_IPTUN_LOCAL, local)
    })
  })
}
