// Whose a device with a name of ours is, by what hangs on it.
import { isVxlan } from '../../src/kernel/state.ts'
import { createSection } from '../../src/network-config/section.ts'
import test from 'ava'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Mac } from '../../src/ip/mac.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { clashWith } from '../../src/obstacles/obstacles.ts'
import { type DeviceEvidence, type FoundDevice, strangersOn } from '../../src/obstacles/whose-device.ts'
import { selfWith } from '../fake/values.ts'

const device: FoundDevice = {
  name: 'flannel.1',
  type: 'vxlan',
  mac: '0a:00:00:00:00:01' as Mac,
  master: '',
  addresses: [],
  routes: [],
}
const evidence: DeviceEvidence = {
  type: 'vxlan',
  networks: ['10.2.0.0/16' as Prefix],
  previousSubnets: [],
  isOurMac: () => false,
}
const ours = '10.2.5.0' as Address
const theirs = '10.42.0.0' as Address
const route = (destination: string, protocol = 3): FoundDevice['routes'][number] => ({
  destination: destination as Prefix,
  protocol,
})

for (const [what, found, known] of [
  ['that is empty', {}, {}],
  ['with an address of our network', { addresses: [ours] }, {}],
  ['of ours to which somebody added an address', { addresses: [theirs, ours] }, {}],
  [
    'with an address of our other family',
    { addresses: ['fd00:10:2:5::' as Address] },
    { networks: ['10.2.0.0/16' as Prefix, 'fd00:10:2::/48' as Prefix] },
  ],
  ['without address, with routes into our network', { routes: [route('10.2.9.0/24')] }, {}],
  ['of another network, whose MAC our network knows', { addresses: [theirs] }, { isOurMac: () => true }],
  [
    'of another network, with the subnet of subnet.env and routes that carry our number',
    { addresses: [theirs], routes: [route('10.42.1.0/24', 142)] },
    { previousSubnets: ['10.42.0.0/24' as Prefix] },
  ],
] as const) {
  test(`a device ${what} is ours to reuse`, (t) => {
    t.is(strangersOn({ ...device, ...found }, { ...evidence, ...known }), undefined)
  })
}

for (const [what, found, known, says] of [
  ['with an address of another network', { addresses: [theirs] }, {}, 'it carries 10.42.0.0, not of 10.2.0.0/16'],
  [
    'with routes of another network alone',
    { routes: [route('10.42.1.0/24'), route('10.42.2.0/24')] },
    {},
    'it carries 10.42.1.0/24 and 1 more, not of 10.2.0.0/16',
  ],
  [
    'of another flannel that writes the same subnet.env',
    { addresses: [theirs], routes: [route('10.42.1.0/24')] },
    { previousSubnets: ['10.42.0.0/24' as Prefix] },
    'it carries 10.42.0.0 and 1 more, not of 10.2.0.0/16',
  ],
  ['in a bridge', { master: 'br0' }, {}, 'it is a port of br0'],
  ['in a bridge, though of our network', { master: 'br0', addresses: [ours] }, {}, 'it is a port of br0'],
  ['of another kind', { type: 'bridge' }, {}, 'it is a device of kind bridge'],
  ['that is hardware', { type: '' }, {}, 'it is hardware'],
] as const) {
  test(`a device ${what} is another's`, (t) => {
    t.is(strangersOn({ ...device, ...found }, { ...evidence, ...known }), says)
  })
}

const [link] = vxlan
  .base({ ...selfWith(undefined), config: vxlan.parseConfig(createSection({}, 'Backend')) })
  .flatMap((object) => (isVxlan(object) ? [object] : []))

for (const [what, other, says] of [
  ['the same VNI on the same port', { name: 'vx0' }, /vx0 has VNI 1/],
  ['the same VNI, though down', { name: 'vx0', up: false }, /vx0 has VNI 1/],
  ['our port with group policies', { name: 'vx0', vni: 9, gbp: true }, /vx0 uses it in another way \(GBP\)/],
  ['our port for all VNIs', { name: 'vx0', vni: -1 }, /vx0 uses it in another way/],
  ['our port for another VNI', { name: 'vx0', vni: 9 }, undefined],
  ['our VNI on another port', { name: 'vx0', port: 4789 }, undefined],
  ['our name', {}, undefined],
  ['everything like ours, and is ours on its way out', { name: 'flannel.7' }, undefined],
] as const) {
  test(`a device that has ${what} is ${says === undefined ? 'no obstacle' : 'in the way'}`, (t) => {
    if (link === undefined) return t.fail()
    const found = clashWith(link, [{ ...link, ...other }], (name) => name === 'flannel.7')
    if (says === undefined) t.is(found, undefined)
    else t.regex(found ?? '', says)
  })
}
