// The monitor reports what others change, and not what we change ourselves: on a real kernel with real notifications.
// That nothing was reported is shown by a later change of others being the first report: notifications keep their order.
import type { ExecutionContext } from 'ava'
import type { Address } from '../../src/ip/address.ts'
import { contains } from '../../src/ip/prefix.ts'
import type { Drift } from '../../src/kernel/kernel.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { startMonitor } from '../../src/kernel/monitor.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, ip, link, mac, peer, prefix, route, via } from '../golden/objects.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const test = inNamespace()
const network = prefix('10.0.0.0/8')

interface Watching {
  readonly seen: string[]
  readonly external: string[]
  /** Of those reports that say that routes may be lost: the report, and the device they went over. */
  readonly lost: Map<string, string>
  stop(): void
}

const wanted: readonly KernelObject[] = [
  link,
  { kind: 'address', device, address: ip('10.64.0.0'), length: 32 },
  { kind: 'address', device, address: ip('fc00::1:0'), length: 128 },
  ...Object.values(peer(1)),
  route('10.64.2.0/24', via('10.64.2.0')),
  route('10.64.0.0/24', { type: 'blackhole' }, 4096),
]

async function watch(t: ExecutionContext<{ kernel: LiveKernel }>, bufferBytes?: number): Promise<Watching> {
  const seen: string[] = []
  const external: string[] = []
  const lost = new Map<string, string>()
  const stop = new AbortController()
  const options = {
    isOurDevice: (name: string) => name === device,
    isExternalDevice: (name: string) => name === 'eth0',
    isPeersVtep: (address: Address) => address === peer(1).neighbor.address,
    isOurNetwork: (destination: Parameters<typeof contains>[0]) => contains(network, destination),
    onDrift: (drift: Drift) => seen.push(drift.type === 'overrun' ? 'overrun' : `${drift.kind}: ${drift.what}`),
    onExternalChange: (what: string, routesOver?: string) => {
      external.push(what)
      if (routesOver !== undefined) lost.set(what, routesOver)
    },
    onFailure: (error: Error) => seen.push(error.message),
  }
  t.teardown(() => {
    stop.abort()
  })
  await startMonitor(t.context.kernel, options, stop.signal, bufferBytes)
  return {
    seen,
    external,
    lost,
    stop: () => {
      stop.abort()
    },
  }
}

test('what we write ourselves is no drift', async (t) => {
  const { kernel, space } = t.context
  const { seen } = await watch(t)
  t.deepEqual(await apply(kernel, 'add', wanted), [])
  const one = peer(1)
  t.deepEqual(
    await apply(kernel, 'replace', [
      { ...link, mtu: 1400, mac: mac('c6:d2:32:6f:8f:45'), local: ip('192.168.19.200') },
      { ...one.fdb, destination: ip('192.168.19.99') },
      { ...one.neighbor, mac: mac('0a:00:00:00:00:99') },
      { ...one.nexthop, gateway: ip('10.64.9.0') },
      { ...one.route, target: via('10.64.1.0') },
    ]),
    [],
  )
  t.deepEqual(await apply(kernel, 'recreate', [{ ...link, vni: 2 }]), [])
  t.deepEqual(
    await apply(
      kernel,
      'add',
      wanted.slice(1).filter(({ kind }) => kind !== 'fdb'),
    ),
    ['rtnetlink: EEXIST'],
  ) // the blackhole, which hangs on no device, is still there
  t.deepEqual(await apply(kernel, 'delete', [...wanted].reverse()), [])
  await space.run('ip route add 10.65.0.0/24 via 192.168.19.1')
  await waitFor('the foreign route', () => seen.length > 0)
  t.deepEqual(seen, ['route: route 10.65.0.0/24 0 changed'])
})

const damage: readonly (readonly [command: string, drift: string])[] = [
  ['ip route del 10.64.1.0/24', 'route: route 10.64.1.0/24 0 deleted'],
  ['ip route replace 10.64.2.0/24 via 192.168.19.1', 'route: route 10.64.2.0/24 0 changed'],
  ['ip route flush type blackhole', 'route: route 10.64.0.0/24 4096 deleted'],
  ['ip route add 10.70.0.0/16 dev eth0', 'route: route 10.70.0.0/16 0 changed'],
  [`ip neigh del 10.64.1.0 dev ${device}`, 'neighbor: neighbor flannel.1 10.64.1.0 deleted'],
  [
    `ip neigh replace 10.64.1.0 lladdr 0a:00:00:00:00:77 dev ${device}`,
    'neighbor: neighbor flannel.1 10.64.1.0 changed',
  ],
  [`ip neigh change 10.64.1.0 dev ${device} nud stale`, 'neighbor: neighbor flannel.1 10.64.1.0 changed'],
  [`ip neigh add 10.64.7.0 lladdr 0a:00:00:00:00:77 dev ${device}`, 'neighbor: neighbor flannel.1 10.64.7.0 changed'],
  [`bridge fdb del 0a:00:00:00:00:01 dev ${device}`, 'fdb: fdb flannel.1 0a:00:00:00:00:01 deleted'],
  [
    `bridge fdb replace 0a:00:00:00:00:01 dst 192.168.19.9 dev ${device}`,
    'fdb: fdb flannel.1 0a:00:00:00:00:01 changed',
  ],
  ['ip nexthop del id 2', 'nexthop: nexthop 2 deleted'],
  [`ip nexthop replace id 2 via 10.64.3.0 dev ${device} onlink`, 'nexthop: nexthop 2 changed'],
  [`ip addr del 10.64.0.0/32 dev ${device}`, 'address: address flannel.1 10.64.0.0/32 deleted'],
  [`ip -6 addr del fc00::1:0/128 dev ${device}`, 'address: address flannel.1 fc00::1:0/128 deleted'],
  [`ip addr add 10.64.9.0/32 dev ${device}`, 'address: address flannel.1 10.64.9.0/32 changed'],
  [`ip link set ${device} down`, 'link: link flannel.1 changed'],
  [`ip link set ${device} mtu 1300`, 'link: link flannel.1 changed'],
  [`ip link set ${device} address 0a:00:00:00:00:55`, 'link: link flannel.1 changed'],
  [`ip link set ${device} type vxlan learning`, 'link: link flannel.1 changed'],
  [`ip link del ${device}`, 'link: link flannel.1 deleted'],
  ['ip link del eth0', 'link: link flannel.1 deleted'],
]
for (const [command, drift] of damage) {
  test(`drift: ${command}`, async (t) => {
    const { kernel, space } = t.context
    t.deepEqual(await apply(kernel, 'add', wanted), [])
    const { seen } = await watch(t)
    await space.run(command)
    await waitFor(drift, () => seen.includes(drift))
    t.pass()
  })
}

test('a device renamed from or to our name is drift', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const { seen } = await watch(t)
  await space.run(`ip link set ${device} down && ip link set ${device} name other`)
  await space.run('ip link set other up && ip neigh add 10.64.7.0 lladdr 0a:00:00:00:00:77 dev other')
  await waitFor('rename away', () => seen.length >= 2)
  t.deepEqual([...new Set(seen.splice(0))], ['link: link flannel.1 changed'])
  await space.run(`ip link set other down && ip link set other name ${device}`)
  await waitFor('rename back', () => seen.includes('link: link flannel.1 changed'))
})

test('what does not concern us is not reported', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const { seen, external } = await watch(t)
  await space.run(`ip link add docker0 type bridge && ip link set docker0 up && ip addr add 10.64.0.1/24 dev docker0
    ip neigh add 10.64.0.2 lladdr 0a:00:00:00:00:77 dev docker0
    bridge fdb add 0a:00:00:00:00:78 dev docker0 self permanent
    ip route add 11.0.0.0/8 via 192.168.19.1
    ip route add 10.64.0.0/16 via 192.168.19.1 table 100
    ip neigh add 10.64.8.0 lladdr 0a:00:00:00:00:77 dev ${device} nud stale
    ip nexthop add id 77 via 192.168.19.1 dev eth0
    ip nexthop add id 184615168 via 192.168.19.1 dev eth0 proto 142
    ip route add 11.1.1.0/24 via 192.168.19.1 proto 142
    ip link add link0 type veth peer name link1 && ip link del link0
    ip route add 10.70.0.0/16 via 192.168.19.1`)
  await waitFor('the last command', () => seen.length > 0)
  t.deepEqual(seen, ['route: route 10.70.0.0/16 0 changed'])
  // IPv6 may only now be done with the underlay's own link-local address.
  t.deepEqual(
    external.filter((what) => !what.startsWith('address eth0 fe80')),
    [],
  )
})

const outside: readonly (readonly [command: string, what: string, lost?: 'nothing'])[] = [
  ['ip link set eth0 mtu 1400', 'link eth0'],
  ['ip link set eth0 down', 'link eth0'],
  ['ip link set eth1 down', 'link eth0'],
  ['ip link del eth0', 'link eth0'],
  ['ip link set eth0 down && ip link set eth0 name eth7', 'link eth0'],
  ['ip addr add 192.168.19.130/24 dev eth0', 'address eth0 192.168.19.130/24', 'nothing'],
  ['ip addr del 192.168.19.121/24 dev eth0', 'address eth0 192.168.19.121/24'],
  ['ip route add default via 192.168.19.1', 'default route', 'nothing'],
  ['ip route del 192.168.19.0/24', 'route 192.168.19.0/24 eth0'],
  ['ip route add 10.99.0.0/24 dev eth0', 'route 10.99.0.0/24 eth0'],
]
for (const [command, what, nothing] of outside) {
  test(`external interface: ${command}`, async (t) => {
    const { space } = t.context
    const { external, lost } = await watch(t)
    await space.run(command)
    await waitFor(what, () => external.includes(what))
    // For this report only: a new device causes more of them.
    t.is(lost.get(what), nothing === undefined ? 'eth0' : undefined)
  })
}

test('a change by others in the middle of our writes is drift', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link, peer(1).fdb]), [])
  const { seen } = await watch(t)
  const many = Array.from({ length: 3000 }, (_, n) => peer(n + 10).fdb)
  const [refused] = await Promise.all([
    apply(kernel, 'add', many),
    space.run(`bridge fdb del 0a:00:00:00:00:01 dev ${device}`),
  ])
  t.deepEqual(refused, [])
  await waitFor('the deletion', () => seen.length > 0)
  t.deepEqual(seen, ['fdb: fdb flannel.1 0a:00:00:00:00:01 deleted'])
})

test('after an overrun, which is reported, the monitor continues', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const { seen } = await watch(t, 4096)
  // Within one process of ip, the event loop has no chance to read them all from so small a buffer.
  const routes = Array.from({ length: 2000 }, (_, n) => `route add 10.${64 + (n >> 8)}.${n & 255}.0/24 dev eth0`)
  await space.run('ip -batch -', `${routes.join('\n')}\n`)
  await waitFor('overrun', () => seen.includes('overrun'))
  await space.run('ip route add 10.100.0.0/24 dev eth0')
  await waitFor('a change after the overrun', () => seen.includes('route: route 10.100.0.0/24 0 changed'))
  t.pass()
})

test('20,000 changes by others are all seen, and our own 20,000 not at all', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const { seen } = await watch(t)
  const entries = Array.from({ length: 20_000 }, (_, n) => peer(n).fdb)
  const start = performance.now()
  t.deepEqual(await apply(kernel, 'add', entries), [])
  t.log(
    `20,000 forwarding entries written and their notifications read in ${(performance.now() - start).toFixed(0)} ms`,
  )
  t.deepEqual(seen, [])
  const routes = Array.from({ length: 20_000 }, (_, n) => `route add 10.${64 + (n >> 8)}.${n & 255}.0/24 dev eth0`)
  await space.run('ip -batch -', `${routes.join('\n')}\n`)
  await waitFor('20,000 reports', () => seen.length === 20_000)
  t.is(new Set(seen).size, 20_000)
})

test('a stopped monitor reports nothing more, and the kernel connection stays usable', async (t) => {
  const { kernel, space } = t.context
  const first = await watch(t)
  first.stop()
  const second = await watch(t)
  t.deepEqual(await apply(kernel, 'add', wanted), [])
  await space.run('ip route add 10.70.0.0/16 via 192.168.19.1')
  await waitFor('the second monitor', () => second.seen.length > 0)
  t.deepEqual([first.seen, second.seen], [[], ['route: route 10.70.0.0/16 0 changed']])
})
