// What an operator may write: the network config, the command line, subnet.env.
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { ConfigError, OperatorError } from '../../src/errors.ts'
import type { Configured, ExternalInterface } from '../../src/backend.ts'
import { type Family, bigintOf, isUnicast } from '../../src/ip/address.ts'
import { valuesOf } from '../../src/ip/by-family.ts'
import { addressOf, contains, lengthOf, parsePrefix, prefixFamily, prefixOf } from '../../src/ip/prefix.ts'
import { findJsonFault } from '../../src/network-config/json-text.ts'
import { type SubnetRange, sizeOf } from '../../src/lease/allocate.ts'
import { parseOptions } from '../../src/options/parse.ts'
import { ROWS, variableOf } from '../../src/options/table.ts'
import { parseSubnetEnv, renderSubnetEnv } from '../../src/host/subnet-env.ts'
import { ENP0S3, selfWith } from '../fake/values.ts'
import { anyText, inputs, nearly, objectWith } from './inputs.ts'

const networks = fc.oneof(
  fc.constantFrom('10.2.0.0/16', '10.2.0.0/28', '10.2.3.4/16', '10.0.0.0/8', '0.0.0.0/0', '127.0.0.0/8', '10.2.0.0/29'),
  nearly('10.2.0.0/16', 'fd00:2::/48'),
)
const bounds = fc.oneof(fc.constantFrom('10.2.1.0', '10.2.9.0', '10.2.9.9', '10.3.0.0', '0.0.0.0'), nearly('10.2.1.0'))
const lengths = fc.integer({ min: -1, max: 130 })
const configs = objectWith({
  Network: networks,
  network: networks,
  SubnetLen: lengths,
  SubnetMin: bounds,
  SubnetMax: bounds,
  IPv6Network: fc.constantFrom('fd00:2::/48', '::/0', 'fe80::/64'),
  IPv6SubnetLen: lengths,
  EnableIPv4: fc.boolean(),
  EnableIPv6: fc.boolean(),
  EnableNFTables: fc.boolean(),
  Backend: objectWith({
    Type: fc.constantFrom('vxlan', 'VXLAN', 'host-gw', 'alloc', 'udp', ''),
    VNI: fc.constantFrom(0, 1, 2 ** 24, 1.5, -1),
    Port: fc.constantFrom(0, 8472, 65536, '8472'),
    MTU: fc.constantFrom(0, 68, 1450, 65535, 1e9),
    DirectRouting: fc.boolean(),
    Learning: fc.boolean(),
    GBP: fc.boolean(),
  }),
  Unknown: fc.anything(),
}).map((config) => JSON.stringify(config))

/** Bits of the longest subnet that leaves addresses for containers. */
const LONGEST: Readonly<Record<Family, number>> = { 4: 30, 6: 126 }

/** Whether hosts can lease from a range, and its backend plans for them. */
function isGood(range: SubnetRange, { backend, config }: Configured): boolean {
  const { network, subnetLen, subnetMin, subnetMax } = range
  const family = prefixFamily(network)
  const external: ExternalInterface = { ...ENP0S3, family, address: family === 4 ? ENP0S3.address : addressOf(network) }
  const self = selfWith(config, { family, network, subnet: prefixOf(subnetMin, subnetLen), external })
  return (
    parsePrefix(network) === network &&
    isUnicast(addressOf(network)) &&
    subnetLen >= lengthOf(network) + 2 &&
    subnetLen <= LONGEST[family] &&
    [subnetMin, subnetMax].every((it) => contains(network, it) && addressOf(prefixOf(it, subnetLen)) === it) &&
    bigintOf(subnetMin) <= bigintOf(subnetMax) &&
    sizeOf(range) >= 1n &&
    backend.mtu(self) <= ENP0S3.mtu &&
    backend.base(self).length >= 0
  )
}

test('network config: a checked value or a ConfigError of one line that names path and rule', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(configs, nearly('{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":1}}'), anyText),
      (text) => {
        try {
          const { own, ranges } = readConfiguration(text, BACKENDS)
          return valuesOf(ranges).every((range) => isGood(range, own))
        } catch (error) {
          return (
            error instanceof ConfigError &&
            error.message.startsWith(`network config: ${error.path}: `) &&
            error.rule !== ''
          )
        }
      },
    ),
    inputs(120_000),
  )
  t.pass()
})

test('JSON: a fault is found exactly where JSON.parse finds one', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(nearly('{"a": [1, -2.5e3, "x\\n\\u0041", null, true], "b": {}}'), anyText, configs),
      (text) => {
        let parses = true
        try {
          JSON.parse(text)
        } catch {
          parses = false
        }
        const fault = findJsonFault(text)
        return parses
          ? fault === undefined
          : fault !== undefined && fault.line > 0 && fault.column > 0 && fault.expected !== ''
      },
    ),
    inputs(150_000),
  )
  t.pass()
})

const SECRET = 'geheim4711'
const FLAGS = ROWS.map(({ flag }) => flag)
const word = fc.oneof(
  fc.constantFrom(...FLAGS).map((flag) => `-${flag}`),
  fc.tuple(fc.constantFrom(...FLAGS), anyText).map(([flag, text]) => `--${flag}=${text}`),
  fc.constantFrom(
    'true',
    '0',
    'http://a:1',
    `http://u:${SECRET}@a:1`,
    `${SECRET}@`,
    'enp0s3',
    '192.168.0.1',
    '',
    '--',
    '-',
    '---',
  ),
  fc.constantFrom(
    `-etcd-password=${SECRET}`,
    `-etcd-endpoints=http://u:${SECRET}@a:1`,
    `-etcd-endpoints=x//${SECRET}@`,
    'status',
    '-help',
    '-version',
  ),
  nearly(`-etcd-endpoints=http://u:${SECRET}@a:1`).filter((text) => !text.startsWith('-') || text.includes('@')),
  anyText,
)
const environment = fc
  .tuple(
    fc.dictionary(
      fc.oneof(fc.constantFrom(...FLAGS.map(variableOf)), nearly('FLANNELD_ETCD_PREFIX')),
      fc.oneof(anyText, fc.constantFrom('1', '', `http://u:${SECRET}@a:1`)),
    ),
    fc.constantFrom({}, { FLANNELD_ETCD_PASSWORD: SECRET }),
  )
  .map(([some, password]) => ({ ...some, ...password }))

test('command line: options or an OperatorError, and the password is in no message', (t) => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), environment, (argv, env) => {
      try {
        const asked = parseOptions(argv, env)
        if (asked.kind !== 'run') return true
        const { healthzPort, etcdEndpoints, subnetLeaseRenewMargin } = asked.options
        return (
          healthzPort >= 0 &&
          healthzPort <= 65535 &&
          etcdEndpoints.every((url) => /^https?:\/\/[^@]+:\d+$/.test(url)) &&
          subnetLeaseRenewMargin >= 1 &&
          !asked.warnings.join().includes(SECRET)
        )
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error
        // What stands where a flag or a command does is repeated; a value is not, where it may be a secret.
        const typed = argv.some((text) => text.includes(SECRET) && /^[^=]*geheim4711/.test(text))
        return typed || !error.message.includes(SECRET)
      }
    }),
    inputs(60_000),
  )
  t.pass()
})

test('subnet.env: never throws; what is read is well formed; what is written is read back', (t) => {
  const file = 'FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=10.2.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'
  fc.assert(
    fc.property(fc.oneof(nearly(file), nearly(file.replaceAll(/=(.*)/g, '="$1" # x')), anyText), (text) => {
      const { networks, subnets, mtu, ipMasq } = parseSubnetEnv(text)
      const { ipv4: network, ipv6: network6 } = networks
      const { ipv4: subnet, ipv6: subnet6 } = subnets
      const whole = { networks, subnets, mtu: mtu ?? 1450, ipMasq: ipMasq ?? false }
      const again = parseSubnetEnv(renderSubnetEnv(whole))
      if (network !== undefined && subnet !== undefined && lengthOf(subnet) < 31) t.is(again.subnets.ipv4, subnet)
      if (network6 !== undefined && subnet6 !== undefined && lengthOf(subnet6) < 127) t.is(again.subnets.ipv6, subnet6)
      t.is(again.mtu, whole.mtu)
      return [network, subnet, network6, subnet6].every((it) => it === undefined || parsePrefix(it) === it)
    }),
    inputs(100_000),
  )
})
