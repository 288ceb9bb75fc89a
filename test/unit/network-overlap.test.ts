// Which networks of a host that lie in the cluster's Network keep it from starting, and which are only reported.
import { only } from '../../src/ip/by-family.ts'
import type { SubnetRange } from '../../src/lease/allocate.ts'
import test from 'ava'
import type { HostLink, HostNetwork } from '../../src/kernel/host-network.ts'
import { overlapWith, overlapsIn } from '../../src/obstacles/network-overlap.ts'
import { address, known, link, route } from './external-interface-host.ts'
import { parsePrefix } from '../../src/ip/prefix.ts'

const prefix = (text: string) => known(parsePrefix(text))

const RANGE = {
  network: prefix('10.2.0.0/16'),
  subnetLen: 24,
  subnetMin: '10.2.1.0',
  subnetMax: '10.2.255.0',
} as unknown as SubnetRange

/** Why a host is refused whose interface between the hosts has this index. */
function refused(range: SubnetRange, there: HostNetwork, index: number): string | undefined {
  return overlapWith({ ranges: only(4, range) }, only(4, { index }), there)
}

const bridge = (index: number, name: string): HostLink => link(index, name, { kind: 'bridge' })
const LINKS = [
  link(2, 'enp0s3'),
  bridge(3, 'docker0'),
  link(4, 'flannel.1', { kind: 'vxlan' }),
  bridge(5, 'br-0123456789ab'),
  bridge(6, 'cni0'),
  bridge(7, 'br-lan'),
  link(8, 'flannel.5', { kind: 'vlan' }),
  link(9, 'veth0', { kind: 'veth', master: 3 }),
]

function host(
  addresses: readonly (readonly [index: number, text: string])[],
  over: Partial<HostNetwork> = {},
): HostNetwork {
  return {
    links: LINKS,
    addresses: addresses.map(([index, text]) => address(index, text)),
    routes: [],
    asked: new Map(),
    ...over,
  }
}

test('a Network that overlaps a network of this host is refused, whichever is the larger', (t) => {
  for (const text of ['10.2.5.9/24', '10.2.0.9/16', '10.1.2.3/8'])
    t.regex(refused(RANGE, host([[2, text]]), 2) ?? '', /overlaps .* on enp0s3.*-force-network-overlap/)
  t.is(refused(RANGE, host([[2, '192.168.19.121/24']]), 2), undefined)
})

test('the bridge of our containers and our own device are no overlap', (t) => {
  t.deepEqual(
    overlapsIn(
      RANGE,
      host([
        [3, '10.2.21.1/24'],
        [4, '10.2.21.0/32'],
      ]),
      2,
    ),
    [],
  )
})

test('a bridge of containers elsewhere in Network is reported with the command to run, and refuses nothing', (t) => {
  const found = (index: number, text: string): readonly unknown[] => {
    const there = host([[index, text]])
    t.is(refused(RANGE, there, 2), undefined)
    return overlapsIn(RANGE, there, 2).map(({ device, run }) => [device, run])
  }
  t.deepEqual(found(3, '10.2.0.1/16'), [['docker0', 'flanneld docker-opts']])
  t.deepEqual(found(3, '10.2.21.1/25'), [['docker0', 'flanneld docker-opts']], 'of an older SubnetLen')
  t.deepEqual(found(5, '10.2.8.1/20'), [['br-0123456789ab', 'docker network inspect 0123456789ab']])
  t.deepEqual(found(6, '10.2.128.1/17'), [['cni0', null]])
})

test('a bridge with a card, with a default route, or the interface between the hosts is a LAN; a name alone does not count', (t) => {
  const lan = host([[7, '10.2.0.9/16']])
  t.is(refused(RANGE, lan, 2), undefined)
  t.truthy(refused(RANGE, { ...lan, links: [...LINKS, link(12, 'enp0s9', { master: 7 })] }, 2), 'a card')
  t.truthy(refused(RANGE, { ...lan, links: [...LINKS, link(12, 'bond0', { master: 7, kind: 'bond' })] }, 2), 'a bond')
  t.truthy(refused(RANGE, { ...lan, routes: [route('0.0.0.0/0', 7, '10.2.0.254')] }, 2), 'a gateway')
  t.truthy(refused(RANGE, lan, 7), 'it is the interface')
  t.truthy(refused(RANGE, host([[8, '10.2.0.9/16']]), 2), 'a VLAN called as a device of ours')
})
