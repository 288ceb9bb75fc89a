// Changing what is there: on a real kernel, each case by itself.
import { KindComparison } from '../../src/kernel/diff.ts'
import { FLANNEL_PROTOCOL, KINDS, type KernelObject, type Route } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, ip, link, mac, peer, prefix, present, route, via } from '../golden/objects.ts'

const test = inNamespace()

test('a second pass has no difference', async (t) => {
  const { kernel } = t.context
  const own: readonly KernelObject[] = [
    link,
    { kind: 'address', device, address: ip('10.2.1.0'), length: 32 },
    ...[1, 2, 3].flatMap((n) => Object.values(peer(n))),
  ]
  const domain = { devices: new Set([device]), networks: [prefix('10.0.0.0/8')] }
  t.deepEqual(await apply(kernel, 'add', own), [])
  for (const kind of KINDS) {
    const wanted = own.filter((object) => object.kind === kind)
    const found = await kernel.observe(kind, [device])
    const comparison = new KindComparison(new Map(found), domain, () => false)
    t.deepEqual(
      wanted.flatMap((object) => comparison.want(object) ?? []),
      [],
    )
    t.deepEqual([comparison.rest(), comparison.conflicts], [[], []])
    t.is([...found.values()].filter((object) => object.kind === kind).length >= wanted.length, true)
  }
})

test('a living device is changed in place and keeps its entries', async (t) => {
  const { kernel, space } = t.context
  const { fdb } = peer(1)
  t.deepEqual(await apply(kernel, 'add', [link, fdb]), [])
  const before = (await space.run(`ip -o link show ${device}`)).split(':')[0]
  await space.run('ip link add eth2 type veth peer name eth3 && ip link set eth2 up')
  const changes = [
    { mtu: 1400 },
    { mac: mac('c6:d2:32:6f:8f:45') },
    { local: ip('192.168.19.200') },
    { underlay: 'eth2' },
    { learning: true },
    { up: false },
    { up: true, mtu: 1300, learning: false, underlay: 'eth0' },
  ]
  let wanted = link
  for (const change of changes) {
    wanted = { ...wanted, ...change }
    t.deepEqual(await apply(kernel, 'replace', [wanted]), [])
    t.deepEqual(await present(kernel, link), wanted)
  }
  t.is((await space.run(`ip -o link show ${device}`)).split(':')[0], before)
  t.deepEqual(await present(kernel, fdb), fdb)
})

test('an MTU beyond the underlay is refused and does not keep the rest from being repaired', async (t) => {
  const { kernel } = t.context
  t.deepEqual(await apply(kernel, 'add', [{ ...link, up: false }]), [])
  t.deepEqual(await apply(kernel, 'replace', [{ ...link, mtu: 9000 }]), ['rtnetlink: EINVAL'])
  t.deepEqual(await present(kernel, link), link)
})

test('VNI, port and GBP change by recreation', async (t) => {
  const { kernel } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const wanted = { ...link, vni: 7, port: 4789, gbp: true }
  t.deepEqual(await apply(kernel, 'recreate', [wanted]), [])
  t.deepEqual(await present(kernel, link), wanted)
})

test('a device of our name that is no vxlan device is left alone', async (t) => {
  const { kernel, space } = t.context
  await space.run(`ip link add ${device} type bridge`)
  for (const verb of ['add', 'replace', 'recreate', 'delete'] as const)
    t.regex((await apply(kernel, verb, [link])).join(), /^rtnetlink: EEXIST/)
  t.regex(await space.run(`ip -d link show ${device}`), /bridge/)
})

test('an underlay that is not there is named', async (t) => {
  t.deepEqual(await apply(t.context.kernel, 'add', [{ ...link, underlay: 'eth9' }]), [
    'rtnetlink: ENODEV (no device eth9)',
  ])
})

test('replace swaps forwarding entry, neighbour, nexthop and route', async (t) => {
  const { kernel, space } = t.context
  const one = peer(1)
  const six: KernelObject = { ...peer(2).nexthop, gateway: ip('fc00::2:0') }
  const viaSix = route('fc00:0:0:2::/64', via('fc00::2:0'), 1024)
  t.deepEqual(await apply(kernel, 'add', [link, ...Object.values(one), six, viaSix]), [])
  const swapped: readonly KernelObject[] = [
    { ...one.fdb, destination: ip('192.168.19.130') },
    { ...one.neighbor, mac: mac('0a:00:00:00:00:99') },
    { ...one.nexthop, gateway: ip('10.99.0.0') },
    { ...one.route, target: via('10.98.0.0') },
    one.route,
    // IPv6: what is there is added first, so that each replaces the one before.
    route('fc00:0:0:2::/64', { type: 'nexthop', id: 3 }, 1024),
    route('fc00:0:0:2::/64', via('fc00::3:0'), 1024),
    route('fc00:0:0:2::/64', { type: 'blackhole' }, 1024),
  ]
  for (const object of swapped) {
    t.deepEqual(await apply(kernel, 'replace', [object]), [])
    t.deepEqual(await present(kernel, object), object)
  }
  t.is((await space.run(`bridge fdb show dev ${device} | grep -c 0a:00:00:00:00:01`)).trim(), '1')
})

test('add never overwrites a foreign object', async (t) => {
  const { kernel, space } = t.context
  const { fdb, neighbor, route: wanted } = peer(1)
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run(`bridge fdb add 0a:00:00:00:00:01 dst 192.168.19.99 dev ${device} self permanent
    ip neigh add 10.64.1.0 lladdr 0a:00:00:00:00:77 dev ${device} nud permanent
    ip route add 10.64.1.0/24 via 192.168.19.1
    ip nexthop add id 2 via 192.168.19.1 dev eth0`)
  const before = await space.run('ip route; ip neigh; ip nexthop; bridge fdb show dev flannel.1')
  const refused = await apply(kernel, 'add', [fdb, neighbor, peer(1).nexthop, wanted])
  t.is(refused.filter((text) => text.startsWith('rtnetlink: EEXIST')).length, 4)
  t.is(await space.run('ip route; ip neigh; ip nexthop; bridge fdb show dev flannel.1'), before)
})

test('an entry that was learned or is being resolved is replaced by ours', async (t) => {
  const { kernel, space } = t.context
  const { fdb, neighbor } = peer(1)
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run(`bridge fdb add 0a:00:00:00:00:01 dst 192.168.19.99 dev ${device} self dynamic
    ip neigh add 10.64.1.0 lladdr 0a:00:00:00:00:77 dev ${device} nud stale`)
  t.deepEqual(await apply(kernel, 'add', [fdb, neighbor]), [])
  t.deepEqual([await present(kernel, fdb), await present(kernel, neighbor)], [fdb, neighbor])
})

test('deleting a route takes no other with its destination', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run(`ip route add 10.64.1.0/24 via 192.168.19.1
    ip route add 10.64.2.0/24 via 10.64.2.0 dev ${device} onlink metric 7
    ip route add 10.64.3.0/24 dev eth0 proto 142 metric 9
    ip route add blackhole 10.64.4.0/24`)
  const before = await space.run('ip route')
  const ours = [1, 2, 3, 4].map((n) => route(`10.64.${n}.0/24`, via(`10.64.${n}.0`)))
  t.deepEqual(await apply(kernel, 'delete', ours), [])
  t.is(await space.run('ip route'), before)
})

test('routes Go flanneld left are replaced and deleted like our own', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run(`ip route add 10.64.1.0/24 via 10.64.1.0 dev ${device} onlink
    ip route add 10.64.2.0/24 via 10.64.2.0 dev ${device} onlink`)
  const left = (await kernel.observe('route', [])).get('route 10.64.2.0/24 0')
  t.like(left, { protocol: 3, target: via('10.64.2.0') })
  t.deepEqual(await apply(kernel, 'delete', left === undefined ? [] : [left]), [])
  const ours = route('10.64.1.0/24', via('10.64.1.0'))
  t.deepEqual(await apply(kernel, 'replace', [ours]), [])
  t.is(
    await space.run('ip route show 10.64.0.0/16; ip route show root 10.64.0.0/16'),
    '10.64.1.0/24 via 10.64.1.0 dev flannel.1 proto 142 onlink \n',
  )
})

test('an IPv6 route goes over to a gateway within its own subnet, in place, and back', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run('ip addr add fd00:19::79/64 dev eth0 nodad')
  const at = (gateway: string, by: string, onlink: boolean): Route => ({
    kind: 'route',
    destination: prefix('fd00:2:0:5::/64'),
    metric: 1024,
    target: { type: 'gateway', gateway: ip(gateway), device: by, onlink },
    protocol: FLANNEL_PROTOCOL,
  })
  const [direct, tunnel] = [at('fd00:19::7a', 'eth0', false), at('fd00:2:0:5::', device, true)]
  t.deepEqual(await apply(kernel, 'add', [direct]), [])
  const monitor = await space.spawn('ip -6 monitor route')
  await space.run('ip -6 route add fd00:99::/64 dev eth0')
  await monitor.line(/fd00:99::/)
  t.deepEqual(await apply(kernel, 'replace', [tunnel]), [])
  t.deepEqual(await present(kernel, tunnel), tunnel)
  t.deepEqual(await apply(kernel, 'replace', [direct]), [])
  t.deepEqual(await present(kernel, direct), direct)
  await space.run('ip -6 route del fd00:99::/64')
  await monitor.line(/^Deleted fd00:99::/)
  t.notRegex(monitor.output(), /^Deleted fd00:2:0:5::\/64/m, 'never without a route')
  t.notRegex(await space.run('ip -6 route'), /^fd00:2:0:5:: /m)
})
