// The leases an operator sees: every key, with what is wrong with it, and the range in numbers.
import test from 'ava'
import { renderLeases } from '../../src/cli/verbs/leases.ts'
import type { StoreEntry } from '../../src/etcd/store.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { type LeaseView, type Times, viewOf } from '../../src/view/leases.ts'

const PREFIX = '/n'
const HOST_ID = '0123456789abcdef0123456789abcdef'

function entry(name: string, value: object | string, lease = '7'): StoreEntry {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const key = `${PREFIX}/${name}`
  return { key, value: Buffer.from(text), createRevision: '3', modRevision: '3', lease }
}

const leaseOf = (last: number, more: object = {}): object => ({
  PublicIP: `192.168.19.${last}`,
  BackendType: 'vxlan',
  ...more,
})
const CONFIG = entry('config', { Network: '10.2.0.0/16' }, '0')

function view(entries: readonly StoreEntry[], times: Times = new Map(), own?: string): LeaseView {
  return viewOf(PREFIX, { revision: '42', entries }, times, own as Prefix | undefined)
}

test('leases come in the order of their subnets, with time, host and what is not as it should be', (t) => {
  const times = new Map([
    ['7', { remaining: 86_395, granted: 86_400 }],
    ['8', { remaining: 80_000, granted: 86_400 }],
    ['9', { remaining: 3_000, granted: 86_400 }],
    ['10', { remaining: 40_000, granted: 86_400 }],
  ])
  const { leases, subnets, network, revision } = view(
    [
      CONFIG,
      entry('subnets/10.2.100.0-24', leaseOf(1, { HostID: HOST_ID })),
      entry('subnets/10.2.21.0-24', leaseOf(2, { HostID: HOST_ID }), '8'),
      entry('subnets/10.2.3.0-24', leaseOf(3), '9'),
      entry('subnets/10.2.4.0-24', leaseOf(4), '10'),
      entry('subnets/10.2.5.0-24', { PublicIP: '192.168.19.5', PublicIPv6: null }, '0'),
    ],
    times,
    '10.2.100.0/24',
  )
  t.deepEqual(
    leases.map(({ subnet, kind, expiring, note, own }) => [subnet, kind, expiring, note, own]),
    [
      ['10.2.3.0/24', 'lease', true, 'expiring: not renewed for 23h 10m', false],
      ['10.2.4.0/24', 'lease', false, '', false],
      ['10.2.5.0/24', 'reservation', false, 'awaits its host', false],
      ['10.2.21.0/24', 'lease', true, 'expiring: not renewed for 1h 46m', false],
      ['10.2.100.0/24', 'lease', false, '', true],
    ],
  )
  t.deepEqual(subnets, { total: 255, used: 5, reserved: 1, free: 250, next: '10.2.1.0/24' })
  t.deepEqual([network, revision], ['10.2.0.0/16', '42'])
})

test('refused keys and values are shown with the reason, and the daemons count them as the hosts do', (t) => {
  const { leases, subnets } = view([
    CONFIG,
    entry('subnets/10.2.3.0-24', 'not json'),
    entry('subnets/10.2.3.128-25', leaseOf(1)),
    entry('subnets/10.2.4.0-24', leaseOf(2)),
    entry('subnets/10.2.4.0-24&fc00::-64', leaseOf(3)),
    entry('subnets/10.2.0.0-24', leaseOf(4)),
    entry('subnets/10.3.0.0-24', leaseOf(5)),
    entry('subnets/0.0.0.0-1', leaseOf(6)),
    entry('subnets/garbage', leaseOf(7)),
  ])
  t.deepEqual(
    leases.map(({ subnet, note }) => `${subnet}: ${note}`),
    [
      '0.0.0.0/1: outside 10.2.0.0/16',
      '10.2.0.0/24: outside SubnetMin to SubnetMax',
      '10.2.3.0/24: unreadable: json',
      '10.2.3.128/25: not a /24',
      '10.2.4.0/24: ',
      '10.2.4.0/24: overlaps 10.2.4.0/24',
      '10.3.0.0/24: outside 10.2.0.0/16',
      'garbage: its key names no subnet',
    ],
  )
  t.like(subnets, { total: 255, used: 2, reserved: 0, free: 253, next: '10.2.1.0/24' })
})

test('without a config that can be read the leases are shown all the same', (t) => {
  const leases = [entry('subnets/10.2.3.0-24', leaseOf(1))]
  t.like(view(leases), { subnets: null, network: null, trouble: 'no network config' })
  t.regex(view([entry('config', '{"Network":7}'), ...leases]).trouble, /^network config: Network: 7: must be a text/)
  t.regex(renderLeases(view(leases)), /^SUBNET[^]*10\.2\.3\.0\/24[^]*\nno network config\n$/)
})

test('a full range has no next one', (t) => {
  const small = entry('config', { Network: '10.2.0.0/24', SubnetLen: 26 }, '0')
  const leases = ['64', '128', '192'].map((last) => entry(`subnets/10.2.0.${last}-26`, leaseOf(Number(last))))
  t.deepEqual(view([small, ...leases]).subnets, { total: 3, used: 3, reserved: 0, free: 0, next: null })
  t.regex(renderLeases(view([small, ...leases])), /\n3 of 3 subnets used, 0 reserved, none free\n$/)
  t.is(renderLeases(view([small])), '0 of 3 subnets used, 0 reserved, next free 10.2.0.64/26\n')
})

test('what others wrote does not steer the terminal', (t) => {
  const text = renderLeases(view([CONFIG, entry('subnets/\u001b[2J', leaseOf(1, { BackendType: '\u001b]0;x\u0007' }))]))
  t.notRegex(text, /[^\P{Cc}\n]/u)
})

test('in two families each lease has both subnets and addresses, and each family its numbers', (t) => {
  const config = { Network: '10.2.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:2::/48', Backend: { Type: 'vxlan' } }
  const seen = view([
    entry('config', config, '0'),
    entry('subnets/10.2.3.0-24&fd00:2:0:3::-64', leaseOf(3, { PublicIPv6: 'fd01::3' })),
    entry('subnets/10.2.4.0-24&fd00:3::-64', leaseOf(4, { PublicIPv6: 'fd01::4' })),
    entry('subnets/10.2.5.0-24&fd00:2:0:3::-64', leaseOf(5, { PublicIPv6: 'fd01::5' })),
    entry('subnets/10.2.6.0-24', leaseOf(6)),
  ])
  t.deepEqual(
    seen.leases.map(({ subnet, subnet6, publicAddress6, note }) => [subnet, subnet6, publicAddress6, note]),
    [
      ['10.2.3.0/24', 'fd00:2:0:3::/64', 'fd01::3', ''],
      ['10.2.4.0/24', 'fd00:3::/64', 'fd01::4', 'outside fd00:2::/48'],
      ['10.2.5.0/24', 'fd00:2:0:3::/64', 'fd01::5', 'overlaps fd00:2:0:3::/64'],
      ['10.2.6.0/24', null, null, ''],
    ],
  )
  t.deepEqual(
    seen.ranges.map(({ network, used }) => [network, used]),
    [
      ['10.2.0.0/16', 4],
      ['fd00:2::/48', 1],
    ],
  )
  const text = renderLeases(seen)
  t.regex(text, /10\.2\.3\.0\/24 fd00:2:0:3::\/64 +192\.168\.19\.3 fd01::3 +vxlan/)
  t.regex(text, /10\.2\.0\.0\/16: 4 of 255 subnets used, .*\nfd00:2::\/48: 1 of 65535 subnets used, /)
})
