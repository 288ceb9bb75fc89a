// The path to a peer where no daemon runs to report it: from the entries that one left in the kernel, and subnet.env.
import { OperatorError } from '../errors.ts'
import { type Address, parseAddress, familyOf } from '../ip/address.ts'
import { addressOf, contains, parseInterfacePrefix, parsePrefix, prefixFamily, type Prefix } from '../ip/prefix.ts'
import { VXLAN_OVERHEAD, isFlannelLink } from '../kernel/flannel-link.ts'
import { withKernel } from '../kernel/once.ts'
import type { VxlanLink } from '../kernel/state.ts'
import type { PathView } from '../control/path-route.ts'
import { readSubnetEnv } from '../host/subnet-env.ts'
import { inFamily } from '../ip/by-family.ts'
import { peersInKernel } from './kernel-peers.ts'
import { objectsLeft } from './left-behind.ts'

/** The path to the peer that `to` names: its subnet, an address in it, or its host's. Rejects with OperatorError. */
export async function pathLeft(to: string, subnetFile: string): Promise<PathView> {
  const { subnet, host, via } = await peerLeft(to)
  const env = await readSubnetEnv(subnetFile)
  const { link, source } = await wayTo(host)
  const whole = { subnet, publicAddress: host, also: null, health: null }
  if (via === 'direct' || link === undefined) {
    const mtu = env?.mtu ?? 1500
    const underlay = { source, destination: host, full: mtu }
    return { ...whole, via: 'direct', mtu, outer: '', overhead: 0, tunnel: null, underlay }
  }
  const { mtu, port, local } = link
  const overhead = VXLAN_OVERHEAD[familyOf(host)]
  const own = env && inFamily(env.subnets, prefixFamily(subnet))
  return {
    ...whole,
    via: 'tunnel',
    mtu,
    outer: `udp ${port}`,
    overhead,
    tunnel: { source: own === undefined ? source : addressOf(own), destination: addressOf(subnet), full: mtu },
    underlay: { source: local, destination: host, full: mtu + overhead },
  }
}

/** The peer that `to` names, as the kernel's routes show it. Rejects with OperatorError. */
async function peerLeft(
  to: string,
): Promise<{ readonly subnet: Prefix; readonly host: Address; readonly via: string }> {
  const address = parseInterfacePrefix(to)?.address ?? parseAddress(to)
  if (address === undefined) throw new OperatorError(`${to}: neither a subnet nor an address`)
  const found = peersInKernel(await objectsLeft(['neighbor', 'fdb', 'nexthop']))
  const peer = found.find(({ subnet, publicAddress }) => {
    const prefix = parsePrefix(subnet)
    return publicAddress === address || (prefix !== undefined && contains(prefix, address))
  })
  const [subnet, host] = [parsePrefix(peer?.subnet ?? ''), parseAddress(peer?.publicAddress ?? '')]
  if (peer === undefined || subnet === undefined || host === undefined) {
    throw new OperatorError(`${to}: no daemon answers, and no route in the kernel leads to such a peer: start flanneld`)
  }
  return { subnet, host, via: peer.via }
}

/** The first device of flannel's whose outer packets have a host's family, and the address that packets to it come from. */
function wayTo(host: Address): Promise<{ readonly link: VxlanLink | undefined; readonly source: Address }> {
  return withKernel(async (kernel) => {
    const links = [...(await kernel.observe('link', [])).values()].filter(isFlannelLink)
    const answer = (await kernel.askRoutes([host])).get(host)
    const source = typeof answer === 'object' ? answer.source : undefined
    if (source === undefined) throw new OperatorError(`${host}: no route leads there`)
    return { link: links.find(({ local }) => familyOf(local) === familyOf(host)), source }
  })
}
