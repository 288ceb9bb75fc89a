// By which devices packets of peers come in, under each backend: what the firewall lets past Docker's rules, what the guard guards.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import type { FirewallInput } from '../../src/firewall/iptables/rules.ts'
import { firewallOf, guardOf } from '../../src/overlay/plan.ts'
import type { PlanInputs } from '../../src/overlay/inputs.ts'
import { inputsWith } from '../fake/overlay-inputs.ts'
import { VXLAN_DEFAULTS } from '../fake/values.ts'

const KEY = 'Hj6E2PJQTLrrFRr8NIBVq2bOXsTJFTfBm0gBl1bO3X8='

function host(type: string, over: Partial<PlanInputs> = {}): PlanInputs {
  const required = type === 'ipsec' ? { PSK: 'k'.repeat(96) } : {}
  return inputsWith({ Backend: { Type: type, ...required } }, [], {
    prepared: new Map([['wireguard-key', KEY]]),
    ...over,
  })
}

function overlay(inputs: PlanInputs): FirewallInput['overlay'] {
  return firewallOf(inputs, []).flatMap((input) => input.overlay)
}

const WIDE = { shared: false, from: ['10.2.0.0/16'] } as const

test('what wireguard decrypts passes Docker’s rules, and needs no guard', (t) => {
  t.deepEqual(overlay(host('wireguard')) as unknown, [{ name: 'flannel-wg', ...WIDE }])
  t.is(guardOf(host('wireguard')), undefined)
})

test('what ipip unwraps passes Docker’s rules; its IP protocol is guarded', (t) => {
  t.deepEqual(overlay(host('ipip')) as unknown, [{ name: 'flannel.ipip', ...WIDE }])
  t.like(guardOf(host('ipip')), {
    devices: [{ arrival: { type: 'protocol', protocol: 4 }, device: 'flannel.ipip', own: ['192.168.19.121'] }],
  })
})

test('while peers still use another backend, both devices are open, and both ways are guarded, ours first', (t) => {
  const vxlan = BACKENDS.find(({ type }) => type === 'vxlan')
  if (vxlan === undefined) return t.fail()
  const others = [{ backend: vxlan, config: VXLAN_DEFAULTS }]
  const both = host('ipip', { others })
  t.deepEqual(
    overlay(both).map(({ name }) => name),
    ['flannel.ipip', 'flannel.1'],
  )
  t.deepEqual(
    guardOf(both)?.devices.map(({ arrival }) => arrival.type),
    ['protocol', 'vxlan'],
  )
  t.deepEqual(
    guardOf(host('wireguard', { others }))?.devices.map(({ arrival }) => arrival.type),
    ['vxlan'],
  )
})

test('every backend says how packets arrive that it cannot authenticate', (t) => {
  for (const { type } of BACKENDS) {
    const devices = overlay(host(type)).map(({ name }) => name)
    const guarded = guardOf(host(type))?.devices.map(({ device }) => device) ?? []
    t.true(
      guarded.every((device) => devices.includes(device)),
      type,
    )
  }
})
