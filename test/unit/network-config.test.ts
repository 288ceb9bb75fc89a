import test from 'ava'
import { ConfigError } from '../../src/errors.ts'
import { type NetworkConfig, backendKeyWarnings, parseNetworkConfig } from '../../src/network-config/parse.ts'
import { createSection } from '../../src/network-config/section.ts'

function parse(config: unknown): NetworkConfig {
  return parseNetworkConfig(JSON.stringify(config)).config
}

function warnings(config: unknown): readonly string[] {
  return parseNetworkConfig(JSON.stringify(config)).remarks.map(({ text }) => text)
}

const VXLAN = { Type: 'vxlan' }

test("the tutorial's config", (t) => {
  const { config, remarks } = parseNetworkConfig('{"Network":"10.2.0.0/16","SubnetLen":24,"Backend":{"Type":"vxlan"}}')
  t.like(config, {
    ranges: {
      ipv4: { network: '10.2.0.0/16', subnetLen: 24, subnetMin: '10.2.1.0', subnetMax: '10.2.255.0' },
      ipv6: undefined,
    },
    enableNFTables: false,
    backend: { type: 'vxlan', raw: VXLAN },
  })
  t.deepEqual(remarks, [])
})

test('keys are found in any case, the backend type is compared in lower case', (t) => {
  const config = parse({ NETWORK: '10.2.0.0/16', subnetlen: 26, BackEnd: { TYPE: 'Host-GW' }, enablenftables: true })
  t.is(config.ranges.ipv4?.subnetLen, 26)
  t.is(config.backend.type, 'host-gw')
  t.true(config.enableNFTables)
})

for (const [network, subnetLen, min, max] of [
  ['10.0.0.0/8', 24, '10.0.1.0', '10.255.255.0'],
  ['10.2.0.0/22', 24, '10.2.1.0', '10.2.3.0'],
  ['10.2.0.0/23', 25, '10.2.0.128', '10.2.1.128'],
  ['10.2.0.0/24', 26, '10.2.0.64', '10.2.0.192'],
  ['10.2.0.16/28', 30, '10.2.0.20', '10.2.0.28'],
] as const) {
  test(`SubnetLen, SubnetMin and SubnetMax of ${network} default to /${subnetLen}, the second and the last subnet`, (t) => {
    t.deepEqual(parse({ Network: network, Backend: VXLAN }).ranges.ipv4, {
      network,
      subnetLen,
      subnetMin: min,
      subnetMax: max,
    } as never)
    const zero = { Network: network, SubnetLen: 0, SubnetMin: '0.0.0.0', SubnetMax: null, Backend: VXLAN }
    t.is(parse(zero).ranges.ipv4?.subnetLen, subnetLen)
  })
}

for (const [network, subnetLen, min, max] of [
  ['fd00:2::/48', 64, 'fd00:2:0:1::', 'fd00:2:0:ffff::'],
  ['fd00:2::/63', 65, 'fd00:2:0:0:8000::', 'fd00:2:0:1:8000::'],
  ['fd00:2::/124', 126, 'fd00:2::4', 'fd00:2::c'],
] as const) {
  test(`IPv6SubnetLen, IPv6SubnetMin and IPv6SubnetMax of ${network} default alike`, (t) => {
    const config = parse({
      EnableIPv4: false,
      EnableIPv6: true,
      IPv6Network: network,
      IPv6SubnetMin: '::',
      Backend: VXLAN,
    })
    t.deepEqual(config.ranges.ipv6, { network, subnetLen, subnetMin: min, subnetMax: max } as never)
    t.is(config.ranges.ipv4, undefined)
  })
}

test('both families side by side', (t) => {
  const config = parse({
    Network: '10.2.0.0/16',
    EnableIPv6: true,
    IPv6Network: 'FC00::/48',
    IPv6SubnetLen: 80,
    IPv6SubnetMin: 'fc00::9:0:0:0',
    IPv6SubnetMax: 'fc00::9:0:0:0',
    Backend: VXLAN,
  })
  t.is(config.ranges.ipv4?.network, '10.2.0.0/16' as never)
  t.deepEqual(config.ranges.ipv6, {
    network: 'fc00::/48',
    subnetLen: 80,
    subnetMin: 'fc00::9:0:0:0',
    subnetMax: 'fc00::9:0:0:0',
  } as never)
})

test('one subnet only, and the first subnet when asked for, may be the range', (t) => {
  const one = parse({ Network: '10.2.0.0/16', SubnetMin: '10.2.0.0', SubnetMax: '10.2.0.0', Backend: VXLAN }).ranges
    .ipv4
  t.deepEqual([one?.subnetMin, one?.subnetMax], ['10.2.0.0', '10.2.0.0'] as never)
})

test('host bits of Network are dropped as in Go, with a warning', (t) => {
  const parsed = parseNetworkConfig('{"Network":"10.2.3.4/16","Backend":{"Type":"vxlan"}}')
  t.is(parsed.config.ranges.ipv4?.network, '10.2.0.0/16' as never)
  const text = 'network config: Network: "10.2.3.4/16": host bits are set, read as 10.2.0.0/16'
  t.deepEqual(parsed.remarks, [{ level: 'note', text }])
})

test('no Backend means vxlan, and is reported', (t) => {
  for (const backend of [undefined, null]) {
    t.is(parse({ Network: '10.2.0.0/16', Backend: backend }).backend.type, 'vxlan')
    t.deepEqual(warnings({ Network: '10.2.0.0/16', Backend: backend }), [
      'network config: Backend: not given, taking vxlan',
    ])
  }
})

const N = { Network: '10.2.0.0/16', Backend: VXLAN }
const SIX = { EnableIPv6: true, IPv6Network: 'fd00:2::/48' }

test('unknown keys are warned about with the nearest known one', (t) => {
  t.deepEqual(warnings({ ...N, SubnetLenght: 24, Colour: 1 }), [
    'network config: SubnetLenght: unknown key, ignored, did you mean SubnetLen?',
    'network config: Colour: unknown key, ignored',
  ])
})

test('unknown keys of the backend are warned about once the backend has reported the keys it knows', (t) => {
  const { backend } = parse({ ...N, Backend: { type: 'vxlan', VNI: 2, prot: 1, directrouting: true } })
  t.deepEqual(backendKeyWarnings(backend, ['VNI', 'Port', 'DirectRouting']), [
    { level: 'warning', text: 'network config: Backend.prot: unknown key, ignored, did you mean Port?' },
  ])
})

test('keys that differ in case alone: the last counts, as in Go, with a warning', (t) => {
  const text = '{"Network":"10.9.0.0/16","network":"10.2.0.0/16","Backend":{"Type":"vxlan"}}'
  const { config, remarks } = parseNetworkConfig(text)
  t.is(config.ranges.ipv4?.network, '10.2.0.0/16' as never)
  const said = 'network config: network: the same key as Network: the last one counts'
  t.deepEqual(remarks, [{ level: 'warning', text: said }])
})

test('a network of a family that is off is warned about', (t) => {
  t.deepEqual(warnings({ ...N, IPv6Network: 'fd00::/48' }), [
    'network config: IPv6Network: no effect: EnableIPv6 is not true',
  ])
  t.deepEqual(warnings({ ...N, ...SIX, EnableIPv4: false }), [
    'network config: Network: no effect: EnableIPv4 is false',
  ])
})

test('a section finds keys in any case, takes null as absent, and refuses other types and values out of range', (t) => {
  const section = createSection({ vni: 7, PORT: null, GBP: true, Learning: 'yes', MTU: '1450', Big: 1e9 }, 'Backend')
  t.is(section.integer('VNI', 1, 1, 100), 7)
  t.is(section.integer('Port', 8472, 1, 65535), 8472)
  t.is(section.integer('absent', 5, 1, 9), 5)
  t.true(section.boolean('gbp', false))
  t.true(section.boolean('DirectRouting', true))
  t.throws(() => section.boolean('Learning', false), {
    instanceOf: ConfigError,
    message: 'network config: Backend.Learning: "yes": must be true or false',
  })
  t.throws(() => section.integer('MTU', 0, 0, 65535), {
    message: /Backend.MTU: "1450": must be an integer from 0 to 65535/,
  })
  t.throws(() => section.integer('VNI', 8, 8, 99), { message: /Backend.VNI: 7: must be an integer from 8 to 99/ })
  t.throws(() => section.integer('Big', 0, 0, 65535), { message: /Backend.Big: 1000000000: must be/ })
})

test('keys every object inherits are not in a section', (t) => {
  const section = createSection({}, 'Backend')
  t.is(section.integer('constructor', 3, 1, 9), 3)
  t.is(section.text('__proto__'), undefined)
})

test('a backend that reads a key it has not declared is a programming error', (t) => {
  const section = createSection({ VNI: 1 }, 'Backend', ['VNI'])
  t.is(section.integer('vni', 1, 1, 9), 1)
  t.throws(() => section.integer('Port', 1, 1, 9), { instanceOf: TypeError })
})

test('keys on the wrong level, and with invisible characters, are reported with their correct place', (t) => {
  const text = JSON.stringify({
    Network: '10.2.0.0/16',
    VNI: 2,
    'Network\u200b': 1,
    Backend: { Type: 'vxlan', SubnetLen: 24, Prot: 1 },
  })
  const { config, remarks } = parseNetworkConfig(text)
  const found = [...remarks, ...backendKeyWarnings(config.backend, ['VNI', 'Port'])]
  const all = found.map((remark) => remark.text).join('\n')
  t.regex(all, /VNI: unknown key, ignored: it belongs in Backend/)
  t.regex(all, /unknown key, ignored: has an invisible character at position 8: U\+200B/)
  t.regex(all, /Backend\.SubnetLen: unknown key, ignored: it belongs at the top level, not in Backend/)
  t.regex(all, /Backend\.Prot: unknown key, ignored, did you mean Port\?/)
})
