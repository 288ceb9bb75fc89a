// The ipip backend: what it wants of the kernel, and the configs it refuses.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { ipip } from '../../backends/ipip/index.ts'
import { ConfigError } from '../../src/errors.ts'
import { isFlannelDevice } from '../../src/kernel/flannel-link.ts'
import { isChangeable } from '../../src/kernel/links/drivers.ts'
import { UNSPECIFIED } from '../../src/kernel/objects.ts'
import { showObject } from '../../src/kernel/show.ts'
import type { IpipLink } from '../../src/kernel/state.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { ENP0S3, address, prefix, selfWith } from '../fake/values.ts'

const peer = {
  subnet: prefix('10.2.3.0/24'),
  publicAddress: address('192.168.19.122'),
  type: 'ipip',
  data: null,
}

test('one device with a local address for all peers, with an MTU 20 bytes smaller', (t) => {
  const self = selfWith({ directRouting: false })
  t.deepEqual(ipip.base(self).map(showObject), [
    'flannel.ipip mtu 1480 state UP ipip remote any local 192.168.19.121',
    '10.2.21.0/32 dev flannel.ipip',
  ])
  t.is(ipip.mtu(self), 1480)
})

for (const [what, directRouting, publicAddress, route] of [
  ['by its public address', false, '192.168.19.122', 'via 192.168.19.122 dev flannel.ipip proto 142 onlink'],
  [
    'on the LAN, with DirectRouting, without a tunnel',
    true,
    '192.168.19.122',
    'via 192.168.19.122 dev enp0s3 proto 142',
  ],
  ['behind a router, with DirectRouting', true, '192.168.20.9', 'via 192.168.20.9 dev flannel.ipip proto 142 onlink'],
] as const) {
  test(`a peer is reached ${what}`, (t) => {
    const needs = ipip.forPeer(selfWith({ directRouting }), { ...peer, publicAddress: address(publicAddress) })
    t.deepEqual(needs.ok && needs.value.map(showObject), [`10.2.3.0/24 ${route}`])
  })
}

test('an interface too small for the tunnel is refused, with both numbers', (t) => {
  t.is(ipip.refuses({ ...ENP0S3, mtu: 87 }), 'the MTU of enp0s3 is 87: ipip needs 88 at least')
  t.is(ipip.refuses({ ...ENP0S3, mtu: 88 }), undefined)
})

test('a network with IPv6 is refused: its packets would go nowhere', (t) => {
  const config = { Network: '10.2.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:10:42::/48', Backend: { Type: 'ipip' } }
  t.throws(() => readConfiguration(JSON.stringify(config), BACKENDS), {
    instanceOf: ConfigError,
    message:
      'network config: Backend.Type: "ipip": carries IPv4 only: set EnableIPv6 to false, or another Backend.Type',
  })
})

const link: IpipLink = { kind: 'link', type: 'ipip', name: 'flannel.ipip', local: ENP0S3.address, mtu: 1480, up: true }

test('a device for one peer alone is made again, another address is a change', (t) => {
  t.false(isChangeable(link, { ...link, local: UNSPECIFIED }))
  t.true(isChangeable(link, { ...link, local: address('192.168.19.9') }))
})

test('flannel.ipip is flannel’s where it is an IP-in-IP device; tunl0 never is', (t) => {
  t.true(isFlannelDevice(link))
  t.false(isFlannelDevice({ ...link, name: 'tunl0' }))
  t.false(isFlannelDevice({ ...link, name: 'flannel.1' }))
})
