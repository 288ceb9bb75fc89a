// The ipsec backend: what it wants of the kernel and of charon, and the configs it refuses.
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { ipsec } from '../../backends/ipsec/index.ts'
import type { IpsecConfig } from '../../backends/ipsec/config.ts'
import type { Configuration } from '../../src/network-config/configuration.ts'
import { ConfigError } from '../../src/errors.ts'
import { beginsFirst, connectionOf, statesIn } from '../../src/helpers/charon/connections.ts'
import { showObject } from '../../src/kernel/show.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import type { CharonPeer } from '../../src/health/outside-kernel.ts'
import { Secret } from '../../src/text/secret.ts'
import { decodeMessage, encodeMessage } from '../../src/helpers/vici/message.ts'
import { ENP0S3, address, prefix, selfWith } from '../fake/values.ts'

const PSK = 'f00d'.repeat(24)
const config: IpsecConfig = {
  psk: new Secret(PSK),
  udpEncap: false,
  espProposal: 'aes128gcm16-sha256-prfsha256-ecp256',
}
const peer = { subnet: prefix('10.2.3.0/24'), publicAddress: address('192.168.19.122'), type: 'ipsec', data: null }

function read(backend: object): Configuration {
  return readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', Backend: { Type: 'ipsec', ...backend } }), BACKENDS)
}

for (const [backend, rule] of [
  [{}, 'Backend.PSK: undefined: is required: at least 96 characters'],
  [{ PSK: 'short' }, 'Backend.PSK: "(hidden)": must have at least 96 characters, not 5'],
  [{ PSK, ESPProposal: 'aes128; rm' }, 'Backend.ESPProposal: "aes128; rm": must be a proposal in strongSwan\'s words'],
  [{ PSK, ESPProposal: 'aes128,aes256' }, 'Backend.ESPProposal: "aes128,aes256": must be a proposal'],
] as const) {
  test(`refused: ${Object.keys(backend).join(' and ') || 'no key at all'}: ${rule}`, (t) => {
    const error = t.throws(() => read(backend), { instanceOf: ConfigError })
    t.true(error.message.startsWith(`network config: ${rule}`), error.message)
  })
}

test('the key is never shown, whatever is made of the config', (t) => {
  const { own } = read({ PSK })
  t.false(JSON.stringify(own.config).includes(PSK))
  t.false(JSON.stringify(ipsec.helpers?.(selfWith(config))).includes(PSK))
})

test('a peer needs policies for packets to it and from it, and a route that they take over', (t) => {
  const needs = ipsec.forPeer(selfWith(config), peer)
  t.deepEqual(needs.ok && needs.value.map(showObject), [
    'src 10.2.21.0/24 dst 10.2.3.0/24 dir out tmpl src 192.168.19.121 dst 192.168.19.122 proto esp reqid 11 mode tunnel',
    'src 10.2.3.0/24 dst 10.2.21.0/24 dir in tmpl src 192.168.19.122 dst 192.168.19.121 proto esp reqid 11 mode tunnel',
    'src 10.2.3.0/24 dst 10.2.21.0/24 dir fwd tmpl src 192.168.19.122 dst 192.168.19.121 proto esp reqid 11 mode tunnel',
    '10.2.3.0/24 dev enp0s3 proto 142',
  ])
})

test('the MTU is that of Go’s flanneld, with and without UDP', (t) => {
  t.is(ipsec.mtu(selfWith(config)), 1423)
  t.is(ipsec.mtu(selfWith({ ...config, udpEncap: true })), 1415)
})

function connection(over: Partial<CharonPeer> = {}): CharonPeer {
  const told = ipsec.helperPeer?.(selfWith(config), peer)
  if (told?.type !== 'charon') throw new Error('charon has to know peers')
  return { ...told, ...over }
}

test('behind a NAT the outer packets have our own address, and peers know us by the public one', (t) => {
  const external = { ...ENP0S3, publicAddress: address('203.0.113.7') }
  const told = ipsec.helperPeer?.(selfWith(config, { external }), peer)
  t.like(told, { local: '192.168.19.121', localId: '203.0.113.7' })
})

test('charon gets one connection a peer, without policies of its own, with the reqid of ours', (t) => {
  const message = connectionOf(connection())
  t.deepEqual(Object.keys(message), ['10.2.3.0/24'])
  t.like(message['10.2.3.0/24'], {
    version: '2',
    local_addrs: ['192.168.19.121'],
    remote_addrs: ['192.168.19.122'],
    encap: 'no',
    children: { subnets: { local_ts: ['10.2.21.0/24'], remote_ts: ['10.2.3.0/24'], policies: 'no', reqid: '11' } },
  })
})

test('of two hosts one begins', (t) => {
  const one = connection()
  t.true(beginsFirst(one))
  t.false(beginsFirst({ ...one, local: one.remote, remote: one.local }))
})

test('a connection is up when the kernel has its keys', (t) => {
  const event = (state: string, child: string): ReturnType<typeof statesIn> =>
    statesIn(
      decodeMessage(
        encodeMessage({
          '10.2.3.0/24': {
            state,
            'child-sas': { 'subnets-1': { state: child, 'spi-in': 'c0ffee01', 'spi-out': '0a' } },
          },
        }),
      ) ?? new Map(),
    )
  t.deepEqual(event('ESTABLISHED', 'INSTALLED'), [
    { name: '10.2.3.0/24', up: true, under: true, spis: [0xc0ffee01, 10] },
  ])
  t.like(event('CONNECTING', 'CREATED')[0], { up: false, under: true })
  t.like(event('DELETING', 'CREATED')[0], { up: false, under: false })
})

test('whatever charon says, there are states or none', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const message = decodeMessage(bytes)
      t.notThrows(() => message && statesIn(message))
    }),
  )
})
