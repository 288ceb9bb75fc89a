// The external interface on hosts with policy rules, several tables or several default routes: the kernel's answer decides.
import type { ExecutionContext } from 'ava'
import { OperatorError } from '../../src/errors.ts'
import { chooseExternalInterface } from '../../src/host/external-interface.ts'
import { questionsOf } from '../../src/kernel/host-network.ts'
import type { Address } from '../../src/ip/address.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { inNamespace } from '../golden/namespace.ts'
import { ip } from '../golden/objects.ts'
import { addCard } from '../lab/world/card.ts'
import type { Space } from '../lab/world/space.ts'

const test = inNamespace()

type Context = ExecutionContext<{ space: Space; kernel: LiveKernel }>

/** Adds a second card next to eth0 (192.168.19.121), then runs the script. */
async function route(t: Context, script: string): Promise<void> {
  await addCard(t.context.space, 'wan0', ['10.9.0.1/24', '10.9.0.2/24'])
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

test('-iface-can-reach follows policy rules and the source address of a route', async (t) => {
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

test("-iface-can-reach with a target the kernel refuses to send to fails with the kernel's error name", async (t) => {
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

test('a default route with several nexthops counts, and its dead nexthops are skipped', async (t) => {
  await route(t, 'ip route add default nexthop via 10.9.0.254 dev wan0 nexthop via 192.168.19.1 dev eth0')
  t.is(await chosen(t), 'wan0 10.9.0.1')
  t.regex(await chosen(t, FAR), /^(wan0 10\.9\.0\.1|eth0 192\.168\.19\.121)$/)
  await t.context.space.run('ip link set wan0 down')
  t.is(await chosen(t), 'eth0 192.168.19.121')
  t.is(await chosen(t, FAR), 'eth0 192.168.19.121')
})

test('a default route through a nexthop group counts, and so does one through a nexthop that the route does not spell out', async (t) => {
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

test('a default route only in another table counts, one via an IPv6 gateway too; with none it is an error', async (t) => {
  await route(t, 'ip route add default via 10.9.0.254 table 100; ip rule add from all lookup 100 priority 100')
  t.is(await chosen(t), 'wan0 10.9.0.1')
  await t.context.space.run('ip rule del priority 100')
  t.regex(await chosen(t), /^no default route for IPv4/)
  await t.context.space.run('ip -4 route add default via inet6 fe80::1 dev wan0')
  t.is(await chosen(t), 'wan0 10.9.0.1')
})

test('a VPN that covers everything with two half routes is not the interface between the hosts', async (t) => {
  await route(
    t,
    `ip route add default via 192.168.19.1; ip route add 0.0.0.0/1 via 10.9.0.254; ip route add 128.0.0.0/1 via 10.9.0.254`,
  )
  t.is(await chosen(t), 'eth0 192.168.19.121')
  t.is(await chosen(t, FAR), 'wan0 10.9.0.1')
})
