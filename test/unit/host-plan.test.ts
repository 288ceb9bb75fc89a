// What follows from the daemon's inputs.
import { only } from '../../src/ip/by-family.ts'
import test from 'ava'
import fc from 'fast-check'
import { vxlan } from '../../backends/vxlan/index.ts'
import { guardOf, intentOf, leaseValueOf, subnetEnvOf, useNexthops } from '../../src/overlay/plan.ts'
import { encodeValue } from '../../src/lease/codec.ts'
import { hostObjects } from '../../src/reconcile/intent.ts'
import { ENP0S3, VXLAN_DEFAULTS, address, mac, vxlanPeer } from '../fake/values.ts'
import { inputsWith } from '../fake/overlay-inputs.ts'
import type { ExternalInterface } from '../../src/backend.ts'

const VXLAN = { Backend: { Type: 'vxlan' } }
const HOST_GW = { Backend: { Type: 'host-gw' } }

test('the lease says the MAC the device has, or one made from the host id', (t) => {
  const kept = inputsWith(VXLAN, [], { keptMacs: new Map([['flannel.1', mac('c6:d2:32:6f:8f:44')]]) })
  t.is(
    encodeValue(leaseValueOf(kept)),
    `{"PublicIP":"192.168.19.121","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"HostID":"${'ab'.repeat(16)}"}`,
  )
  const made = leaseValueOf(inputsWith(VXLAN)).backendData
  t.deepEqual(made, leaseValueOf(inputsWith(VXLAN)).backendData)
  t.notDeepEqual(made, leaseValueOf(inputsWith(VXLAN, [], { hostId: 'cd'.repeat(16) })).backendData)
  t.is(leaseValueOf(inputsWith(HOST_GW)).backendData.ipv4, undefined)
})

test('FLANNEL_MTU is what the device will have: the underlay less 50, Backend.MTU less 50 when that is smaller', (t) => {
  t.is(subnetEnvOf(inputsWith(VXLAN)).mtu, 1450)
  t.is(subnetEnvOf(inputsWith({ Backend: { Type: 'vxlan', MTU: 1400 } })).mtu, 1350)
  t.is(subnetEnvOf(inputsWith({ Backend: { Type: 'vxlan', MTU: 9000 } })).mtu, 1450)
  t.is(subnetEnvOf(inputsWith(HOST_GW)).mtu, 1500)
})

test('Backend.MTU is the size of the packets between hosts, over IPv6 as well, and only vxlan has it', (t) => {
  const sixth = { ...ENP0S3, family: 6 as const, address: address('fd00::121'), publicAddress: address('fd00::121') }
  const env = (Backend: object, external: ExternalInterface = ENP0S3): number =>
    subnetEnvOf(inputsWith({ Backend }, [], { externals: only(4, external) })).mtu
  t.is(env({ Type: 'vxlan', MTU: 1400 }, sixth), 1330)
  t.is(env({ Type: 'vxlan' }, sixth), 1430)
  t.is(env({ Type: 'vxlan', MTU: 1400, DirectRouting: true }), 1350)
  for (const Type of ['host-gw', 'alloc']) t.is(env({ Type, MTU: 1400 }), 1500)
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 9000 }), fc.integer({ min: 200, max: 9000 }), (wanted, carried) => {
      const external = { ...ENP0S3, mtu: carried }
      const around = env({ Type: 'vxlan', MTU: wanted }, external) + 50
      t.true(around <= wanted && around <= carried && (around === wanted || around === carried))
    }),
  )
})

test('our own subnet has a blackhole beneath everything, unless it is turned off', (t) => {
  const kinds = (args: readonly string[]): readonly string[] =>
    hostObjects(intentOf(inputsWith(HOST_GW, args))).map((object) => object.kind)
  t.deepEqual(kinds([]), ['route'])
  t.deepEqual(kinds(['-ip-blackhole-route=false']), [])
})

test('nexthop objects come with size, and go only at half of it', (t) => {
  t.false(useNexthops('auto', true, 499, false))
  t.true(useNexthops('auto', true, 500, false))
  t.true(useNexthops('auto', true, 250, true))
  t.false(useNexthops('auto', true, 249, true))
  t.false(useNexthops('always', false, 10_000, false))
  t.true(useNexthops('always', true, 0, false))
  t.false(useNexthops('never', true, 60_000, true))
})

test('the guard lets in the peers, follows the port, and is off without a tunnel or with -vxlan-guard=false', (t) => {
  const peers = [vxlanPeer(3, 122), vxlanPeer(4, 123)]
  const wish = guardOf(inputsWith({ Backend: { Type: 'vxlan', Port: 4789, VNI: 7 } }), peers)
  t.deepEqual(wish && { ...wish, peers: [...wish.peers] }, {
    devices: [
      {
        arrival: { type: 'vxlan', port: 4789, vni: 7 },
        device: 'flannel.7',
        network: '10.2.0.0/16',
        own: ['192.168.19.121'],
      },
    ],
    allowed: [],
    peers: peers.map((peer) => peer.publicAddress),
  })
  const behind = { ...ENP0S3, publicAddress: address('203.0.113.7') }
  t.deepEqual(guardOf(inputsWith(VXLAN, [], { externals: only(4, behind) }), peers)?.devices[0].own, [
    '192.168.19.121',
    '203.0.113.7',
  ])
  t.is(guardOf(inputsWith(HOST_GW), peers), undefined)
  t.is(guardOf(inputsWith(VXLAN, ['-vxlan-guard=false']), peers), undefined)
})

test('while another backend is still used, what it needs stays', (t) => {
  const both = inputsWith(HOST_GW, [], { others: [{ backend: vxlan, config: VXLAN_DEFAULTS }] })
  t.deepEqual(
    hostObjects(intentOf(both)).map((object) => object.kind),
    ['link', 'address', 'route'],
  )
})
