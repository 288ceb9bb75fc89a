// Doctor on a host with two families: each is checked, and what is wrong with one is said of that one.
import test from 'ava'
import type { HostNetwork } from '../../src/kernel/host-network.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'
import { CHECKS } from '../../src/doctor/checks.ts'
import { makeReport } from '../../src/doctor/report.ts'
import { type Facts, type HostFacts } from '../../src/doctor/facts.ts'
import { type Differences, UNREAD, factsWith, faults, outcome, saved } from '../fake/doctor-facts.ts'
import { address, prefix } from '../fake/values.ts'

const OWN = { ipv4: prefix('10.2.21.0/24'), ipv6: prefix('fd00:2:0:21::/64') }
const NETWORKS = { ipv4: prefix('10.2.0.0/16'), ipv6: prefix('fd00:2::/48') }
const FORWARDS = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
] as const
const ENV = { networks: NETWORKS, subnets: OWN, mtu: 1430, ipMasq: false }

/** A healthy host with two families, but for what `host` and the rest say. */
function both(host: Partial<HostFacts> = {}, more: Differences = {}): Facts {
  const healthy = { sysctls: new Map<string, string>(FORWARDS), subnetEnv: { value: ENV } }
  return factsWith({ ...more, two: true, host: { ...healthy, ...host } })
}

test('with both families in order nothing is found but that no daemon runs', (t) => {
  const { checks } = makeReport(CHECKS, both())
  const found = checks.filter((check) => check.faults.length > 0).map(({ name }) => name)
  t.deepEqual(found, ['daemon'])
})

test('ip-forward: the switch of each family', (t) => {
  const off = both({ sysctls: new Map([FORWARDS[0], ['net/ipv6/conf/all/forwarding', '0']]) })
  t.deepEqual(
    faults('ip-forward', off).map(({ cause, fix }) => [cause, fix]),
    [
      [
        'the kernel does not forward IPv6 packets: containers cannot reach other hosts',
        'sysctl -w net.ipv6.conf.all.forwarding=1, and the same line in /etc/sysctl.d/',
      ],
    ],
  )
  const ipv4 = factsWith({ host: { sysctls: new Map([FORWARDS[0], ['net/ipv6/conf/all/forwarding', '0']]) } })
  t.deepEqual(faults('ip-forward', ipv4), [], 'a network of IPv4 alone needs no IPv6')
})

test('ip-forward: IPv6 disabled on a device of ours, not on docker0', (t) => {
  const disabled = (device: string): Facts =>
    both({ sysctls: new Map([...FORWARDS, [`net/ipv6/conf/${device}/disable_ipv6`, '1']]) })
  const [fault, ...others] = faults('ip-forward', disabled('flannel-v6.1'))
  t.deepEqual(others, [])
  t.regex(fault?.cause ?? '', /^IPv6 is disabled on flannel-v6\.1/)
  t.regex(fault?.fix ?? '', /^sysctl -w net\.ipv6\.conf\.flannel-v6\/1\.disable_ipv6=0/)
  t.deepEqual(faults('ip-forward', disabled('docker0')), [])
})

test('ip-forward: a host that forwards loses what router advertisements gave it, unless accept_ra is 2', (t) => {
  const facts = (acceptRa: string, change: (network: HostNetwork) => Partial<HostNetwork>): Facts => {
    const values = [
      ['net/ipv6/conf/eth0/forwarding', '1'],
      ['net/ipv6/conf/eth0/accept_ra', acceptRa],
    ] as const
    const healthy = both()
    const network = { ...healthy.host.network, ...change(healthy.host.network) }
    return both({ sysctls: new Map([...FORWARDS, ...values]), network })
  }
  const announced = ({ routes }: HostNetwork): Partial<HostNetwork> => {
    const gateway = address('fe80::1')
    return {
      routes: [
        ...routes,
        { destination: prefix('::/0'), index: 2, gateway, metric: 1024, live: true, announced: true },
      ],
    }
  }
  const gone = ({ addresses }: HostNetwork): Partial<HostNetwork> => {
    const found = address('2001:db8::21')
    return {
      addresses: [
        ...addresses,
        { index: 2, address: found, length: 64, scope: 'global', network: undefined, dynamic: true },
      ],
    }
  }
  for (const change of [announced, gone]) {
    const [fault, ...others] = faults('ip-forward', facts('1', change))
    t.deepEqual(others, [])
    t.is(fault?.level, 'warning', 'the peer is on the link')
    t.regex(fault?.cause ?? '', /ignores router advertisements on eth0/)
    t.regex(fault?.fix ?? '', /^sysctl -w net\.ipv6\.conf\.eth0\.accept_ra=2/)
    t.deepEqual(faults('ip-forward', facts('2', change)), [])
    t.deepEqual(faults('ip-forward', facts('0', change)), [], 'another program takes the advertisements')
  }
  t.deepEqual(
    faults(
      'ip-forward',
      facts('1', () => ({})),
    ),
    [],
    'a link without a router',
  )
})

test('subnet-env: a file of one family only', (t) => {
  const one = { ...ENV, networks: onlySubnet(NETWORKS.ipv4), subnets: onlySubnet(OWN.ipv4) }
  t.deepEqual(
    faults('subnet-env', both({ subnetEnv: { value: one } })).map(({ cause }) => cause.replace(/ than.*/, '')),
    ['subnet.env has another IPv6 network', 'subnet.env has another IPv6 subnet'],
  )
})

test('mtu: below 1280 bytes there is no IPv6', (t) => {
  const [fault] = faults('mtu', both({}, { backend: { MTU: 1300 } }))
  t.regex(fault?.cause ?? '', /^containers' MTU is 1230, and IPv6 needs 1280/)
  t.regex(fault?.fix ?? '', /Backend\.MTU in the network config, by 50/)
  t.deepEqual(faults('mtu', factsWith({ backend: { MTU: 1300 } })), [], 'IPv4 takes less')
})

test('config: IPv6 on, and no interface for it', (t) => {
  const externals = { ...both().host.externals, 6: { unknown: 'no default route for IPv6' } }
  const [fault] = faults('config', both({ externals }))
  t.regex(fault?.cause ?? '', /^the network config has IPv6 on, and this host has no interface for it/)
  t.is(fault?.proof, 'no default route for IPv6')
})

test('routes: one that is missing in IPv6 is named by the subnet of that family', (t) => {
  const healthy = both()
  const routes = new Map(healthy.host.kernel.get('route'))
  routes.delete('route fd00:2:0:22::/64 1024')
  const [fault, ...others] = faults('routes', both({ kernel: new Map([...healthy.host.kernel, ['route', routes]]) }))
  t.deepEqual(others, [])
  t.regex(fault?.cause ?? '', /^there is no route to fd00:2:0:22::\/64/)
})

test('docker0 without IPv6 is a warning, with another IPv6 subnet a fault', (t) => {
  const docker0 = (...addresses: readonly (readonly [string, number])[]): Facts => {
    const { links, ...network } = both().host.network
    const link = { index: 9, name: 'docker0', mtu: 1430, mac: undefined, up: true, carrier: true, loopback: false }
    return both({
      network: {
        ...network,
        links: [...links, { ...link, master: 0, kind: 'bridge' }],
        addresses: addresses.map(([text, length]) => ({
          index: 9,
          address: address(text),
          length,
          scope: text.startsWith('fe80') ? ('link' as const) : ('global' as const),
          network: undefined,
        })),
      },
    })
  }
  t.deepEqual(faults('docker0', docker0(['10.2.21.1', 24], ['fd00:2:0:21::1', 64])), [])
  const [lacks] = faults('docker0', docker0(['10.2.21.1', 24], ['fe80::1', 64]))
  t.like(lacks, { level: 'warning' })
  t.regex(lacks?.cause ?? '', /^docker0 has no IPv6: /)
  const [stale] = faults('docker0', docker0(['10.2.21.1', 24], ['fd00:2:0:60::1', 64]))
  t.like(stale, { level: 'fault', stops: true })
  t.regex(stale?.proof ?? '', /has fd00:2:0:60::1\/64, leased is fd00:2:0:21::\/64/)
})

test('firewall: our rules are looked for in the programs of both families', (t) => {
  const ours = '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n'
  const found = faults(
    'firewall',
    both({}, { facts: { firewall: { iptables: saved(ours, ours), nft: { value: '{}' } } } }),
  )
  t.deepEqual(
    found.map(({ cause }) => cause.replace(/:.*/, '')),
    ['our rules for IPv4 are not in their places', 'our rules for IPv6 are not in their places'],
  )
  t.regex(found[1]?.proof ?? '', /^missing in their place in ip6tables: /)
  const unread = { iptables: { ...UNREAD, 4: { value: ours } }, nft: { value: '{}' } }
  t.like(outcome('firewall', both({}, { facts: { firewall: unread } })), { unchecked: 'not looked at' })
})

test('a peer named by an address of either family is its host in both', (t) => {
  const target = {
    text: 'fd01::122',
    subnets: [prefix('10.2.22.0/24'), prefix('fd00:2:0:22::/64')] as readonly Prefix[],
  }
  const healthy = both()
  const kernel = new Map([...healthy.host.kernel, ['route', new Map()] as const])
  const found = faults('routes', both({ kernel }, { facts: { target } }))
  t.deepEqual(
    found.map(({ cause }) => /route to (\S+):/.exec(cause)?.[1]),
    ['10.2.22.0/24', 'fd00:2:0:22::/64'],
  )
  t.is(makeReport(CHECKS, both({}, { facts: { target } })).peer, '10.2.22.0/24')
})
