// What wireguard wants of the kernel for hosts with one family and with two.
import test from 'ava'
import { wireguard } from '../../backends/wireguard/index.ts'
import type { WireguardConfig } from '../../backends/wireguard/config.ts'
import type { ExternalInterface, Peer, Self } from '../../src/backend.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { showObject } from '../../src/kernel/show.ts'
import { createSection } from '../../src/network-config/section.ts'
import { ENP0S3, address, prefix, selfWith } from '../fake/values.ts'

const OURS = Buffer.alloc(32, 1).toString('base64')
const THEIRS = Buffer.alloc(32, 2).toString('base64')
const SIX: ExternalInterface = {
  ...ENP0S3,
  family: 6,
  address: address('fd00:19::79'),
  publicAddress: address('fd00:19::79'),
  onlink: [prefix('fd00:19::/64')],
  mtu: 1400,
}

const config = (raw: object): WireguardConfig => wireguard.parseConfig(createSection({ ...raw }, 'Backend'))
const four = (raw: object): Self<WireguardConfig> =>
  selfWith(config(raw), { prepared: new Map([['wireguard-key', OURS]]), otherExternal: SIX })
const six = (raw: object): Self<WireguardConfig> => ({
  ...four(raw),
  family: 6,
  network: prefix('fd00:2::/48'),
  subnet: prefix('fd00:2:0:21::/64'),
  external: SIX,
  otherExternal: ENP0S3,
})
const peer: Peer<{ publicKey: string; port: number | undefined }> = {
  subnet: prefix('10.2.22.0/24'),
  publicAddress: address('192.168.19.122'),
  also: prefix('fd00:2:0:22::/64'),
  otherAddress: address('fd00:19::7a'),
  type: 'wireguard',
  data: { publicKey: THEIRS, port: undefined },
}
const peerIn6: typeof peer = {
  ...peer,
  subnet: prefix('fd00:2:0:22::/64'),
  publicAddress: address('fd00:19::7a'),
  also: prefix('10.2.22.0/24'),
  otherAddress: address('192.168.19.122'),
}
const shown = (objects: readonly KernelObject[]): readonly string[] => objects.map(showObject)
const peerShown = (self: Self<WireguardConfig>, of = peer): readonly string[] => {
  const checked = wireguard.forPeer(self, of)
  return checked.ok ? shown(checked.value) : [checked.reason]
}

test('with Mode separate each family has a device of its own, by its own family', (t) => {
  t.deepEqual(shown(wireguard.base(four({}))), [
    `flannel-wg mtu 1420 state UP wireguard listen-port 51820 public-key ${OURS}`,
    '10.2.21.0/32 dev flannel-wg',
    '10.2.0.0/16 dev flannel-wg proto 142',
  ])
  t.deepEqual(shown(wireguard.base(six({}))), [
    `flannel-wg-v6 mtu 1320 state UP wireguard listen-port 51821 public-key ${OURS}`,
    'fd00:2:0:21::/128 dev flannel-wg-v6',
    'fd00:2::/48 dev flannel-wg-v6 proto 142 metric 1024',
  ])
  t.deepEqual(peerShown(four({})), [
    `flannel-wg peer ${THEIRS} endpoint 192.168.19.122:51820 allowed-ips 10.2.22.0/24`,
    '10.2.22.0/24 dev flannel-wg proto 142',
  ])
  t.deepEqual(peerShown(six({}), peerIn6), [
    `flannel-wg-v6 peer ${THEIRS} endpoint [fd00:19::7a]:51821 allowed-ips fd00:2:0:22::/64`,
    'fd00:2:0:22::/64 dev flannel-wg-v6 proto 142 metric 1024',
  ])
})

test('one device for both families is the same object in both, with the smaller MTU where it may use either', (t) => {
  t.deepEqual(wireguard.base(four({ Mode: 'auto' }))[0], wireguard.base(six({ Mode: 'auto' }))[0])
  t.is(wireguard.mtu(four({ Mode: 'auto' })), 1320)
  t.is(wireguard.mtu(six({ Mode: 'ipv4' })), 1420)
  t.is(wireguard.mtu(four({ Mode: 'ipv6' })), 1320)
})

test('a peer with two families is one peer of that device, and has a route in each', (t) => {
  const both = 'allowed-ips 10.2.22.0/24,fd00:2:0:22::/64'
  t.deepEqual(peerShown(four({ Mode: 'ipv4' })), [
    `flannel-wg peer ${THEIRS} endpoint 192.168.19.122:51820 ${both}`,
    '10.2.22.0/24 dev flannel-wg proto 142',
  ])
  t.deepEqual(peerShown(four({ Mode: 'ipv6' }))[0], `flannel-wg peer ${THEIRS} endpoint [fd00:19::7a]:51820 ${both}`)
  t.deepEqual(peerShown(six({ Mode: 'ipv4' }), peerIn6), ['fd00:2:0:22::/64 dev flannel-wg proto 142 metric 1024'])
})

test("Mode auto takes IPv4, unless that address is private and both hosts have public IPv6, as Go's does", (t) => {
  const publicSix = { ...SIX, address: address('2001:db8::79') }
  const self = { ...four({ Mode: 'auto' }), otherExternal: publicSix }
  const publicPeer = { ...peer, otherAddress: address('2001:db8::7a') }
  t.regex(peerShown(four({ Mode: 'auto' }))[0] ?? '', /endpoint 192\.168\.19\.122:51820/)
  t.regex(peerShown(self, publicPeer)[0] ?? '', /endpoint \[2001:db8::7a\]:51820/)
  t.regex(
    peerShown(self, { ...publicPeer, publicAddress: address('198.51.100.7') })[0] ?? '',
    /endpoint 198\.51\.100\.7:51820/,
  )
})

test('a peer that cannot be reached is refused with a reason', (t) => {
  const alone = { ...peer, also: undefined, otherAddress: undefined }
  t.deepEqual(peerShown(four({ Mode: 'ipv6' }), alone), ['address-family'])
  t.deepEqual(peerShown({ ...four({}), prepared: new Map() }), ['no-key'])
  t.deepEqual(peerShown(four({}), { ...peer, data: { publicKey: OURS, port: undefined } }), ['own-key'])
  t.deepEqual(wireguard.base({ ...four({}), prepared: new Map() }), [])
})

test('the port is that of the lease, else ours, as Go has it; a secret is in no text', (t) => {
  const psk = Buffer.alloc(32, 9).toString('base64')
  const lines = peerShown(four({ PSK: psk, ListenPort: 7, PersistentKeepaliveInterval: 25 }))
  t.is(
    lines[0],
    `flannel-wg peer ${THEIRS} endpoint 192.168.19.122:7 allowed-ips 10.2.22.0/24 preshared-key (hidden) persistent-keepalive 25`,
  )
  t.regex(
    peerShown(four({}), { ...peer, data: { publicKey: THEIRS, port: 9 } })[0] ?? '',
    /endpoint 192\.168\.19\.122:9 /,
  )
  t.deepEqual(wireguard.leaseData(four({})), { PublicKey: OURS, Port: 51820 })
})
