// What config this host can run, at the start and later.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { hostGw } from '../../backends/host-gw/index.ts'
import { type Configuration, overlapWith, readConfiguration, refusesChange } from '../../src/configuration.ts'
import type { HostNetwork } from '../../src/external-interface.ts'
import { ENP0S3, address, prefix } from '../fake/world.ts'

const read = (config: object): Configuration => readConfiguration(JSON.stringify(config), BACKENDS)
const running = read({ Network: '10.2.0.0/16' })

test('an unknown backend type is refused with the known ones and the nearest', (t) => {
  const error = t.throws(() => read({ Network: '10.2.0.0/16', Backend: { Type: 'vxlann' } }))
  t.regex(error.message, /Backend\.Type: "vxlann": must be one of vxlan, host-gw, alloc, did you mean vxlan\?/)
})

test('IPv6 alone is refused, IPv6 beside IPv4 is said not to be served', (t) => {
  t.regex(
    t.throws(() => read({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' })).message,
    /EnableIPv4.*not supported yet/,
  )
  const both = read({ Network: '10.2.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' })
  t.true(both.warnings.some((line) => line.includes('IPv6 is not served yet')))
})

test('C2 a Network without our subnet, or another SubnetLen, is refused with what to do; the rest is taken', (t) => {
  const ours = prefix('10.2.21.0/24')
  t.regex(
    refusesChange(running, read({ Network: '10.3.0.0/16' }), ours) ?? '',
    /10\.3\.0\.0\/16 does not contain.*stop/,
  )
  t.regex(refusesChange(running, read({ Network: '10.2.0.0/16', SubnetLen: 25 }), ours) ?? '', /SubnetLen: 25 differs/)
  t.is(refusesChange(running, read({ Network: '10.0.0.0/8', Backend: { Type: 'host-gw' } }), ours), undefined)
})

test('host-gw is refused where peers cannot route to the public address', (t) => {
  t.is(hostGw.refuses(ENP0S3), undefined)
  t.regex(
    hostGw.refuses({ ...ENP0S3, publicAddress: address('203.0.113.7') }) ?? '',
    /203\.0\.113\.7.*192\.168\.19\.121/,
  )
})

const host = (...addresses: readonly (readonly [number, string, number])[]): HostNetwork => ({
  links: [
    { index: 2, name: 'enp0s3', mtu: 1500, mac: undefined, up: true, carrier: true, loopback: false, kind: '' },
    { index: 3, name: 'docker0', mtu: 1450, mac: undefined, up: true, carrier: true, loopback: false, kind: 'bridge' },
    { index: 4, name: 'flannel.1', mtu: 1450, mac: undefined, up: true, carrier: true, loopback: false, kind: 'vxlan' },
  ],
  addresses: addresses.map(([index, text, length]) => ({
    index,
    address: address(text),
    length,
    scope: 'global',
    network: undefined,
  })),
  routes: [],
  asked: new Map(),
})

test('C3 a Network that overlaps a network of this host is refused, whichever is the larger', (t) => {
  for (const [text, length] of [
    ['10.2.5.9', 24],
    ['10.2.0.9', 16],
    ['10.1.2.3', 8],
  ] as const) {
    t.regex(
      overlapWith(running.range, host([2, text, length]), 2) ?? '',
      /overlaps .* on enp0s3.*-force-network-overlap/,
    )
  }
  t.is(overlapWith(running.range, host([2, '192.168.19.121', 24]), 2), undefined)
})

test('C3 the bridge of our containers and our own device are no overlap', (t) => {
  t.is(overlapWith(running.range, host([3, '10.2.21.1', 24], [4, '10.2.21.0', 32]), 2), undefined)
  t.truthy(overlapWith(running.range, host([3, '10.2.0.1', 16]), 2))
})
