// The plan of a host in two address families: what one family has the other has too, each of its own.
import test from 'ava'
import type { Peer } from '../../src/backend.ts'
import { renderSubnetEnv } from '../../src/host/subnet-env.ts'
import { firewallOf, guardOf, intentOf, leaseValueOf, planOf, subnetEnvOf } from '../../src/overlay/plan.ts'
import { domainOf, hostObjects, peerObjects } from '../../src/reconcile/intent.ts'
import { inputsWith } from '../fake/overlay-inputs.ts'
import { twoFamilies } from '../fake/two-families.ts'
import { address, prefix } from '../fake/values.ts'

const VXLAN = twoFamilies({ Backend: { Type: 'vxlan' } })
const HOST_GW = twoFamilies({ Backend: { Type: 'host-gw' } })
const PEERS: readonly Peer[] = [
  { subnet: prefix('10.2.3.0/24'), publicAddress: address('192.168.19.122'), type: 'host-gw', data: undefined },
  { subnet: prefix('fd00:2:0:3::/64'), publicAddress: address('fd01::122'), type: 'host-gw', data: undefined },
]

test('the host has a blackhole and a domain in both families, a peer a route in its own', (t) => {
  const intent = intentOf(HOST_GW)
  const destinations = (objects: ReturnType<typeof hostObjects>): readonly unknown[] =>
    objects.map((object) => object.kind === 'route' && object.destination)
  t.deepEqual(destinations(hostObjects(intent)), ['10.2.21.0/24', 'fd00:2:0:21::/64'])
  t.deepEqual(domainOf(intent).networks, [prefix('10.2.0.0/16'), prefix('fd00:2::/48')])
  for (const peer of PEERS) {
    const needs = peerObjects(intent, peer)
    t.deepEqual(needs.ok && destinations(needs.value), [peer.subnet])
  }
})

test('a peer of a family that this host is not in is refused, and holds up no other', (t) => {
  const intent = intentOf(inputsWith({ Backend: { Type: 'host-gw' } }))
  t.deepEqual(
    PEERS.map((peer) => peerObjects(intent, peer).ok),
    [true, false],
  )
})

test('the firewall has rules for each family, with the doors of its own peers', (t) => {
  const inputs = firewallOf(HOST_GW, PEERS.values())
  t.deepEqual(
    inputs.map(({ family, network, subnet, overlay }) => [family, network, subnet, overlay.map(({ from }) => from)]),
    [
      [4, '10.2.0.0/16', '10.2.21.0/24', [['10.2.3.0/24']]],
      [6, 'fd00:2::/48', 'fd00:2:0:21::/64', [['fd00:2:0:3::/64']]],
    ],
  )
})

test('one guard has the device, the network and the addresses of each family', (t) => {
  const { tunnels, guard } = planOf(VXLAN, undefined)
  const arrival = { type: 'vxlan', port: 8472, vni: 1 } as const
  t.deepEqual(guard?.devices as unknown, [
    { arrival, device: tunnels[0]?.name, network: prefix('10.2.0.0/16'), own: [address('192.168.19.121')] },
    { arrival, device: tunnels[1]?.name, network: prefix('fd00:2::/48'), own: [address('fd01::121')] },
  ])
  t.is(guardOf(HOST_GW), undefined)
})

test('lease and subnet.env say both families, with the MTU that fits both', (t) => {
  const { addresses, backendData } = leaseValueOf(VXLAN)
  t.deepEqual(addresses, { ipv4: address('192.168.19.121'), ipv6: address('fd01::121') })
  t.truthy(backendData.ipv4)
  t.truthy(backendData.ipv6)
  t.is(
    renderSubnetEnv(subnetEnvOf(VXLAN)),
    `FLANNEL_NETWORK=10.2.0.0/16
FLANNEL_SUBNET=10.2.21.1/24
FLANNEL_IPV6_NETWORK=fd00:2::/48
FLANNEL_IPV6_SUBNET=fd00:2:0:21::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
`,
  )
})
