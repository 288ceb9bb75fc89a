// The wireguard part of the network config and of leases.
import test from 'ava'
import { WIREGUARD_KEYS, parseWireguardConfig, parseWireguardData } from '../../backends/wireguard/config.ts'
import { createSection } from '../../src/network-config/section.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const parse = (raw: object): ReturnType<typeof parseWireguardConfig> =>
  parseWireguardConfig(
    createSection({ Type: 'wireguard', ...raw }, 'Backend', [...Object.keys(WIREGUARD_KEYS), 'Type']),
  )

test("an empty section has the values of Go's flanneld", (t) => {
  t.deepEqual(parse({}), {
    mode: 'separate',
    ports: { 4: 51820, 6: 51821 },
    mtu: 0,
    presharedKey: undefined,
    keepalive: 0,
  })
})

test('keys are found in any case, and an empty pre-shared key is none', (t) => {
  const { mode, ports, keepalive, presharedKey } = parse({
    mode: 'ipv6',
    listenport: 7,
    LISTENPORTV6: 8,
    persistentkeepaliveinterval: 25,
    psk: '',
  })
  t.deepEqual(
    { mode, ports, keepalive, presharedKey },
    { mode: 'ipv6', ports: { 4: 7, 6: 8 }, keepalive: 25, presharedKey: undefined },
  )
})

test('a pre-shared key is not shown, whether it is good or not', (t) => {
  const { presharedKey } = parse({ PSK: KEY })
  t.is(presharedKey?.reveal(), KEY)
  t.false(JSON.stringify(parse({ PSK: KEY })).includes(KEY))
  for (const bad of [`${KEY.slice(0, -2)}==`, KEY.slice(4), `${KEY}AAAA`, KEY.slice(0, -2), 'secret-thing']) {
    const error = t.throws(() => parse({ PSK: bad }), {
      message: /Backend\.PSK.*must be a key of 44 characters: make one with wg genpsk/,
    })
    t.false(error.message.includes(bad))
  }
})

test('values outside of their range name key, value and rule', (t) => {
  t.throws(() => parse({ ListenPort: 0 }), { message: /Backend\.ListenPort: 0: must be/ })
  t.throws(() => parse({ MTU: 147 }), { message: /Backend\.MTU: 147: must be/ })
  t.is(parse({ MTU: 148 }).mtu, 148)
  t.throws(() => parse({ Mode: 'both' }), {
    message: /Backend\.Mode: "both": must be one of "separate", "auto", "ipv4", "ipv6"/,
  })
})

test("a peer's lease has a public key, and a port where it is not Go's", (t) => {
  t.deepEqual(parseWireguardData({ PublicKey: KEY }), { ok: true, value: { publicKey: KEY, port: undefined } })
  t.deepEqual(parseWireguardData({ PublicKey: KEY, Port: 7 }), { ok: true, value: { publicKey: KEY, port: 7 } })
  for (const data of [
    undefined,
    null,
    {},
    { PublicKey: 7 },
    { PublicKey: KEY.slice(1) },
    { PublicKey: KEY, Port: 0 },
    { PublicKey: KEY, Port: '7' },
  ])
    t.false(parseWireguardData(data).ok)
})
