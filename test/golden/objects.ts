// Kernel objects for tests, and ways to put them into a kernel and find them there.
import { type Address, parseAddress } from '../../src/ip/address.ts'
import { type Mac, parseMac } from '../../src/ip/mac.ts'
import { type Prefix, parsePrefix } from '../../src/ip/prefix.ts'
import type { KernelChange } from '../../src/kernel/kernel.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import {
  FLANNEL_PROTOCOL,
  type FdbEntry,
  type KernelObject,
  type Neighbor,
  type Nexthop,
  type Route,
  type VxlanLink,
  keyOf,
} from '../../src/kernel/state.ts'

/** The device all of these are on. */
export const device = 'flannel.1'

export const ip = (text: string): Address => must(parseAddress(text))
export const mac = (text: string): Mac => must(parseMac(text))
export const prefix = (text: string): Prefix => must(parsePrefix(text))

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('bad value in a test')
  return value
}

export const link: VxlanLink = {
  kind: 'link',
  type: 'vxlan',
  name: device,
  vni: 1,
  port: 8472,
  local: ip('192.168.19.121'),
  underlay: 'eth0',
  mtu: 1450,
  mac: mac('c6:d2:32:6f:8f:44'),
  learning: false,
  gbp: false,
  up: true,
}

/** A route of ours. */
export function route(destination: string, target: Route['target'], metric = 0): Route {
  return { kind: 'route', destination: prefix(destination), metric, target, protocol: FLANNEL_PROTOCOL }
}

/** Onlink on our device. */
export function via(gateway: string): Route['target'] {
  return { type: 'gateway', gateway: ip(gateway), device, onlink: true }
}

/** What one peer needs, through a nexthop object: n counts subnets 10.64.0.0/24, 10.64.1.0/24, ... */
export function peer(n: number): { fdb: FdbEntry; neighbor: Neighbor; nexthop: Nexthop; route: Route } {
  const subnet = `10.${64 + (n >> 8)}.${n & 255}.0`
  const station = mac(`0a:00:00:${[16, 8, 0].map((by) => ((n >> by) & 255).toString(16).padStart(2, '0')).join(':')}`)
  return {
    fdb: { kind: 'fdb', device, mac: station, destination: ip(`172.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`) },
    neighbor: { kind: 'neighbor', device, address: ip(subnet), mac: station },
    nexthop: { kind: 'nexthop', id: n + 1, gateway: ip(subnet), device, protocol: FLANNEL_PROTOCOL },
    route: route(`${subnet}/24`, { type: 'nexthop', id: n + 1 }),
  }
}

/** Applies one verb to objects; the messages of what was refused. */
export async function apply(
  kernel: LiveKernel,
  verb: KernelChange['verb'],
  objects: readonly KernelObject[],
): Promise<readonly string[]> {
  return (await kernel.apply(objects.map((object) => ({ verb, object })))).map(({ error }) => error.message)
}

/** The object that has this one's key in the kernel. */
export async function present(kernel: LiveKernel, object: KernelObject): Promise<KernelObject | undefined> {
  return (await kernel.observe(object.kind, [device])).get(keyOf(object))
}
