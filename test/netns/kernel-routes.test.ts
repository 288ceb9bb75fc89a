// Which interface is chosen on hosts whose routing is more than one main table with one default route: by the kernel's answer.
import type { ExecutionContext } from 'ava'
import { OperatorError } from '../../src/errors.ts'
import { chooseExternalInterface } from '../../src/host/external-interface.ts'
import { questionsOf } from '../../src/kernel/host-network.ts'
import type { Address } from '../../src/ip/address.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { inNamespace } from '../golden/namespace.ts'
import { ip } from '../golden/objects.ts'
import type { Space } from '../lab/world/space.ts'

const test = inNamespace()

type Context = ExecutionContext<{ space: Space; kernel: LiveKernel }>

/** A second card beside eth0 (192.168.19.121), and what the test is about. */
async function route(t: Context, script: string): Promise<void> {
  await t.context.space.run(`ip link add wan0 type veth peer name wan1 && ip link set wan1 up && ip link set wan0 up
    ip addr add 10.9.0.1/24 dev wan0; ip addr add 10.9.0.2/24 dev wan0`)
  await t.context.space.run(script)
}

/** "wan0 10.9.0.1", or what is wrong. */
async function chosen({ context }: Context, reach?: Address): Promise<string> {
  const wish = {
    iface: [],
    ifaceRegex: [],
    ifaceCanReach: reach,
    publicIp: undefined,
    publicIpv6: undefined,
  }
  context.kernel.forgetRoutes()
  const found = chooseExternalInterface(await context.kernel.readHost(questionsOf(wish)), wish, 4)
  return found instanceof OperatorError
    ? found.message.replace(/: this host has.*/, '')
    : `${found.name} ${found.address}`
}

const FAR = ip('203.0.113.9')

test('-iface-can-reach heeds policy rules and the source that a route names', async (t) => {
  await route(
    t,
    `ip route add default via 192.168.19.1; ip route add default via 10.9.0.254 table 100
    ip rule add to 203.0.113.0/24 lookup 100; ip route add 198.51.100.0/24 via 10.9.0.254 src 10.9.0.2`,
  )
  t.is(await chosen(t, FAR), 'wan0 10.9.0.1')
  t.is(await chosen(t, ip('198.51.100.7')), 'wan0 10.9.0.2')
  t.is(await chosen(t, ip('198.18.0.1')), 'eth0 192.168.19.121')
  t.is(await chosen(t), 'eth0 192.168.19.121', 'without it, the main table has a default route')
})

test('-iface-can-reach of what the kernel refuses to send to is an error with its word', async (t) => {
  await route(
    t,
    `ip route add default via 192.168.19.1; ip route add blackhole 198.51.100.0/25; ip route add local 198.51.100.128/25 dev lo
    ip route add unreachable 203.0.113.0/25; ip route add prohibit 203.0.113.128/25`,
  )
  const word = async (target: string): Promise<string | undefined> => /\((.*)\)/.exec(await chosen(t, ip(target)))?.[1]
  t.is(await word('198.51.100.1'), 'EINVAL')
  t.is(await word('198.51.100.200'), 'stays on this host')
  t.is(await word('203.0.113.1'), 'EHOSTUNREACH')
  t.is(await word('203.0.113.200'), 'EACCES')
})

test('a default route of several hops is one, and its dead hops are passed over', async (t) => {
  await route(t, 'ip route add default nexthop via 10.9.0.254 dev wan0 nexthop via 192.168.19.1 dev eth0')
  t.is(await chosen(t), 'wan0 10.9.0.1')
  t.regex(await chosen(t, FAR), /^(wan0 10\.9\.0\.1|eth0 192\.168\.19\.121)$/)
  await t.context.space.run('ip link set wan0 down')
  t.is(await chosen(t), 'eth0 192.168.19.121')
  t.is(await chosen(t, FAR), 'eth0 192.168.19.121')
})

test('a default route by a group of nexthop objects, and by one that no route spells out', async (t) => {
  await route(
    t,
    `ip nexthop add id 1 via 10.9.0.254 dev wan0; ip nexthop add id 2 via 192.168.19.1 dev eth0; ip nexthop add id 9 group 1/2
    ip route add default nhid 9`,
  )
  t.is(await chosen(t), 'wan0 10.9.0.1')
  await t.context.space.run('sysctl -q -w net.ipv4.nexthop_compat_mode=0; ip route replace default nhid 2')
  t.is(await chosen(t), 'eth0 192.168.19.121')
  await t.context.space.run('ip route replace default nhid 9')
  t.regex(await chosen(t), /^(wan0 10\.9\.0\.1|eth0 192\.168\.19\.121)$/)
})

test('a default route in another table alone, one over IPv6, and none at all', async (t) => {
  await route(t, 'ip route add default via 10.9.0.254 table 100; ip rule add from all lookup 100 priority 100')
  t.is(await chosen(t), 'wan0 10.9.0.1')
  await t.context.space.run('ip rule del priority 100')
  t.regex(await chosen(t), /^no default route for IPv4/)
  await t.context.space.run('ip -4 route add default via inet6 fe80::1 dev wan0')
  t.is(await chosen(t), 'wan0 10.9.0.1')
})

test('a VPN over everything, by two halves or by a rule, is not the interface between the hosts', async (t) => {
  await route(
    t,
    `ip route add default via 192.168.19.1; ip route add 0.0.0.0/1 via 10.9.0.254; ip route add 128.0.0.0/1 via 10.9.0.254`,
  )
  t.is(await chosen(t), 'eth0 192.168.19.121')
  t.is(await chosen(t, FAR), 'wan0 10.9.0.1')
})
