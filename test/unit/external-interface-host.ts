// The host the tests of the interface choice look at: the tutorial's, with a second card, an address added by hand, IPv6, a
// bridge that is down, a card without address, one with a tiny MTU and our own device.
import type { HostAddress, HostLink, HostNetwork, HostRoute } from '../../src/kernel/host-network.ts'
import { type Address, familyOf, parseAddress } from '../../src/ip/address.ts'
import { parseMac } from '../../src/ip/mac.ts'
import { parseInterfacePrefix, parsePrefix, prefixOf } from '../../src/ip/prefix.ts'

export function known<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('bad test value')
  return value
}

export const ip = (text: string): Address => known(parseAddress(text))

export function link(index: number, name: string, more: Partial<HostLink> = {}): HostLink {
  const mac = parseMac(`02:00:00:00:00:${String(index).padStart(2, '0')}`)
  return { index, name, mtu: 1500, mac, up: true, carrier: true, loopback: false, master: 0, kind: '', ...more }
}

export function address(index: number, text: string, scope: HostAddress['scope'] = 'global'): HostAddress {
  const own = known(parseInterfacePrefix(text))
  const alone = own.length === (familyOf(own.address) === 4 ? 32 : 128)
  return { index, scope, ...own, network: alone ? undefined : prefixOf(own.address, own.length) }
}

export function route(destination: string, index: number, gateway?: string, metric = 0, live = true): HostRoute {
  return {
    destination: known(parsePrefix(destination)),
    index,
    gateway: gateway === undefined ? undefined : ip(gateway),
    metric,
    live,
  }
}

export const HOST: HostNetwork = {
  links: [
    link(1, 'lo', { loopback: true, mtu: 65536, mac: undefined }),
    link(2, 'enp0s3'),
    link(3, 'enp0s8', { mtu: 9000 }),
    link(4, 'br0', { up: false }),
    link(5, 'empty0'),
    link(6, 'tiny0', { mtu: 118 }),
    link(7, 'flannel.1', { mtu: 1450, kind: 'vxlan' }),
  ],
  addresses: [
    address(1, '127.0.0.1/8', 'host'),
    address(1, '::1/128', 'host'),
    address(2, '169.254.3.4/16', 'link'),
    address(2, '192.168.19.121/24'),
    address(2, '192.168.19.200/24'),
    address(2, 'fe80::2/64', 'link'),
    address(2, '2001:db8:19::121/64'),
    address(3, '10.9.0.1/16'),
    address(3, '10.9.7.1/32'),
    address(4, '172.16.0.1/24'),
    address(6, '172.17.0.1/24'),
    address(7, '10.2.5.0/32'),
  ],
  routes: [
    route('0.0.0.0/0', 3, '10.9.0.254', 200),
    route('0.0.0.0/0', 2, '192.168.19.1', 100),
    route('192.168.19.0/24', 2),
    route('169.254.0.0/16', 2, undefined, 1000),
    route('10.9.0.0/16', 3),
    route('10.50.0.0/16', 3, '10.9.0.7'),
    route('10.50.1.0/24', 2, '192.168.19.7', 50),
    route('10.50.1.0/24', 3, '10.9.0.7', 20),
    route('::/0', 2, 'fe80::1', 1024),
    route('fe80::/64', 2, undefined, 256),
    route('2001:db8:19::/64', 2, undefined, 256),
  ],
  asked: new Map(),
}
