// WireGuard on the wire: generic netlink, and the text protocol of programs. What is written reads back.
import test from 'ava'
import { parseAddress } from '../../src/ip/address.ts'
import { Message } from '../../src/netlink/attribute.ts'
import type { Encode } from '../../src/netlink/message.ts'
import { MessageWriter } from '../../src/netlink/message.ts'
import { type Endpoint, readWireguard, writeWireguard, writeWireguardPeer } from '../../src/netlink/wireguard.ts'
import { publicKeyOf } from '../../src/kernel/wireguard/key.ts'
import { Roaming } from '../../src/kernel/wireguard/roaming.ts'
import { readUapi, setDevice, setPeer } from '../../src/kernel/wireguard/uapi.ts'
import { Secret } from '../../src/text/secret.ts'
import { prefix } from '../fake/values.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const PSK = new Secret(Buffer.alloc(32, 9).toString('base64'))
const at = (address: string, port: number): Endpoint => ({ address: parseAddress(address) ?? ('' as never), port })
const SETTINGS = {
  presharedKey: PSK,
  endpoint: at('192.168.19.122', 51820),
  keepalive: 25,
  allowed: [prefix('10.2.22.0/24'), prefix('fd00:2:0:22::/64')],
}

function bytes(encode: Encode): Uint8Array {
  const writer = new MessageWriter()
  writer.message(encode, 1, 0)
  return writer.buffer.slice(0, writer.length)
}

function read(encode: Encode): ReturnType<typeof readWireguard> {
  const all = bytes(encode)
  const message = new Message(all)
  message.read(0, all.length)
  return readWireguard(message, undefined)
}

test('a peer as linux/wireguard.h has it, byte by byte', (t) => {
  const hex = Buffer.from(bytes(writeWireguardPeer(30, 'flannel-wg', { publicKey: KEY, settings: SETTINGS }))).toString(
    'hex',
  )
  t.is(
    hex,
    [
      'e00000001e0001000100000000000000', // nlmsghdr
      '01010000', // genlmsghdr: set device, version 1
      '0f000200666c616e6e656c2d77670000', // its name
      'bc000880b8000080', // peers, the first
      `24000100${'07'.repeat(32)}`, // public key
      '0800030002000000', // flags: replace its prefixes
      `24000200${'09'.repeat(32)}`, // pre-shared key
      `140004000200ca6cc0a8137a${'00'.repeat(8)}`, // sockaddr_in
      '0600050019000000', // keepalive
      '48000980', // prefixes
      '1c0000800600010002000000080002000a0216000500030018000000',
      `28000080060001000a00000014000200fd00000200000022${'00'.repeat(8)}0500030040000000`,
    ].join(''),
  )
})

test('what is written of a peer reads back, with both families and the other kind of endpoint', (t) => {
  for (const endpoint of [SETTINGS.endpoint, at('fd00:19::7a', 51821)]) {
    const { peers } = read(
      writeWireguardPeer(30, 'flannel-wg', { publicKey: KEY, settings: { ...SETTINGS, endpoint } }),
    )
    t.is(peers.length, 1)
    t.like(peers[0], { publicKey: KEY, endpoint, keepalive: 25, allowed: SETTINGS.allowed })
    t.is(peers[0]?.presharedKey?.reveal(), PSK.reveal())
  }
})

test('a peer whose prefixes go on in the next message is one peer', (t) => {
  const all = bytes(writeWireguardPeer(30, 'flannel-wg', { publicKey: KEY, settings: SETTINGS }))
  const message = new Message(all)
  message.read(0, all.length)
  const first = readWireguard(message, undefined)
  message.read(0, all.length)
  t.deepEqual(readWireguard(message, first).peers[0]?.allowed, [...SETTINGS.allowed, ...SETTINGS.allowed])
})

test('a device: its port, and a private key of which only the public one is seen again', (t) => {
  const secret = new Secret(Buffer.alloc(32, 0x48).toString('base64'))
  t.is(read(writeWireguard(30, 'flannel-wg', { port: 51820 })).port, 51820)
  t.is(setDevice({ privateKey: secret, port: 7 }), `set=1\nprivate_key=${'48'.repeat(32)}\nlisten_port=7\n\n`)
  const device = readUapi(`private_key=${'48'.repeat(32)}\nlisten_port=7\nerrno=0\n\n`)
  t.deepEqual(device, { publicKey: publicKeyOf(secret), port: 7, peers: [] })
})

test('a peer in the words of the text protocol, there and back', (t) => {
  const text = setPeer({ publicKey: KEY, settings: SETTINGS })
  t.is(
    text,
    `set=1\npublic_key=${'07'.repeat(32)}\npreshared_key=${'09'.repeat(32)}\nendpoint=192.168.19.122:51820\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.2.22.0/24\nallowed_ip=fd00:2:0:22::/64\n\n`,
  )
  const back = readUapi(
    `${text}last_handshake_time_sec=5\nlast_handshake_time_nsec=7000000\nrx_bytes=8\ntx_bytes=9\nerrno=0\n\n`,
  )
  t.like(back.peers[0], {
    publicKey: KEY,
    endpoint: SETTINGS.endpoint,
    keepalive: 25,
    handshake: 5007,
    received: 8,
    sent: 9,
  })
  t.deepEqual(back.peers[0]?.allowed, SETTINGS.allowed)
  t.is(setPeer({ publicKey: KEY, settings: undefined }), `set=1\npublic_key=${'07'.repeat(32)}\nremove=true\n\n`)
})

const HOME = at('192.168.19.122', 51820)
const AWAY = at('198.51.100.7', 4711)
const NOW = 1_000_000_000
const seen = (
  endpoint: Endpoint,
  received: number,
  sent: number,
  handshake = NOW - 1000,
): Parameters<Roaming['judge']>[1] => ({
  publicKey: KEY,
  presharedKey: undefined,
  endpoint,
  keepalive: 0,
  handshake,
  received,
  sent,
  allowed: [],
})

test('an endpoint from which packets come is kept, and so is one to which nothing is sent', (t) => {
  const roaming = new Roaming()
  roaming.wrote('peer', HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 10), NOW), HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 10), NOW + 5000), HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 11, 20), NOW + 6000), HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 11, 90), NOW + 9000), HOME)
})

test('an endpoint that gets packets and answers none is put right, once', (t) => {
  const roaming = new Roaming()
  roaming.wrote('peer', HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 10), NOW), HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 12), NOW + 400), AWAY)
  roaming.wrote('peer', HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 14), NOW + 800), HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 20), NOW + 1600), HOME)
})

test('without a living session the endpoint is that of the lease; after a restart a living one is kept', (t) => {
  const roaming = new Roaming()
  roaming.wrote('peer', HOME)
  t.deepEqual(roaming.judge('peer', seen(AWAY, 10, 10, NOW - 200_000), NOW), AWAY)
  const restarted = new Roaming()
  t.is(restarted.judge('peer', seen(AWAY, 10, 10), NOW), undefined)
  t.is(restarted.judge('peer', seen(AWAY, 10, 20), NOW + 1000), undefined)
  t.deepEqual(new Roaming().judge('peer', seen(AWAY, 10, 10, 0), NOW), AWAY)
})
