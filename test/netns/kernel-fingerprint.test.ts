// The digest that shows audits whether anything changed, on a real kernel: foreign writes change it, our own do not.
import type { LiveKernel } from '../../src/kernel/live.ts'
import { type KernelObject, type Kind, keyOf } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, ip, link, mac, peer, prefix, route, via } from '../golden/objects.ts'

const test = inNamespace()

const DIGESTED = ['fdb', 'neighbor', 'nexthop', 'route'] as const

async function digests(kernel: LiveKernel): Promise<ReadonlyMap<Kind, number | undefined>> {
  const found = new Map<Kind, number | undefined>()
  for (const kind of DIGESTED) found.set(kind, await kernel.fingerprint(kind, [device]))
  return found
}

/** Objects of each way a peer may be reached, in the order they are added. */
function objects(): readonly KernelObject[] {
  const peers = Array.from({ length: 300 }, (_, n) => peer(n))
  return [
    ...peers.flatMap(({ fdb, neighbor, nexthop }) => [fdb, neighbor, nexthop]),
    ...peers.map((one) => one.route),
    route('10.99.1.0/24', via('10.99.1.0')),
    route('10.99.2.0/24', { type: 'gateway', gateway: ip('192.168.19.7'), device: 'eth0', onlink: false }),
    route('10.99.3.0/24', { type: 'blackhole' }, 0xffff_ffff),
    route('10.99.4.0/24', { type: 'device', device: 'eth0' }, 7),
  ]
}

test('what we add, replace and delete leaves the digest as it was', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  // Of others, and learned: counted, or not, but the same all along.
  await space.run(`ip route add 10.98.0.0/24 via 192.168.19.9; ip neigh add 10.98.0.9 dev ${device} lladdr 0a:00:00:00:99:99 nud stale
    ip nexthop add id 9000 via 192.168.19.9 dev eth0; bridge fdb add 0a:00:00:00:99:98 dev ${device} dst 172.31.9.9`)
  await kernel.observe('link', [device])
  const before = await digests(kernel)
  t.deepEqual(await apply(kernel, 'add', objects()), [])
  t.deepEqual(await digests(kernel), before)

  const { fdb, neighbor, nexthop } = peer(3)
  const changes = [
    { before: fdb, object: { ...fdb, destination: ip('172.20.0.1') } },
    { before: neighbor, object: { ...neighbor, mac: mac('0a:00:00:00:98:01') } },
    { before: nexthop, object: { ...nexthop, gateway: ip('10.97.0.0') } },
    { before: route('10.99.1.0/24', via('10.99.1.0')), object: route('10.99.1.0/24', via('10.99.1.9')) },
  ]
  t.deepEqual(await kernel.apply(changes.map((change) => ({ verb: 'replace', ...change }))), [])
  t.deepEqual(await digests(kernel), before)

  const now = new Map([...objects(), ...changes.map(({ object }) => object)].map((object) => [keyOf(object), object]))
  t.deepEqual(await apply(kernel, 'delete', [...now.values()].toReversed()), [])
  t.deepEqual(await digests(kernel), before)
  t.deepEqual(
    [...(await kernel.observe('route', [])).keys()].filter((key) => key.includes('10.99.')),
    [],
  )
})

/** What others may do to a peer's entries, and which digest shows it. */
const DAMAGES: readonly (readonly [kind: Kind, command: string])[] = [
  ['fdb', `bridge fdb del 0a:00:00:00:00:05 dev ${device} self`],
  ['fdb', `bridge fdb replace 0a:00:00:00:00:05 dev ${device} dst 172.30.0.1 self permanent`],
  ['fdb', `bridge fdb add 0a:00:00:00:77:05 dev ${device} dst 172.30.0.1 self permanent`],
  ['fdb', `bridge fdb add 0a:00:00:00:77:06 dev ${device} dst 172.30.0.1 self static`],
  ['neighbor', `ip neigh del 10.64.5.0 dev ${device}`],
  ['neighbor', `ip neigh change 10.64.5.0 dev ${device} lladdr 0a:00:00:00:77:07 nud permanent`],
  ['neighbor', `ip neigh change 10.64.5.0 dev ${device} nud stale`],
  ['nexthop', `ip nexthop replace id 6 via 10.64.77.0 dev ${device} onlink proto 142`],
  ['nexthop', `ip nexthop replace id 6 via 10.64.5.0 dev ${device} onlink proto 143`],
  ['route', 'ip route del 10.64.5.0/24'],
  ['route', 'ip route replace 10.64.5.0/24 nhid 7 proto 142'],
  ['route', 'ip route replace 10.64.5.0/24 nhid 6 proto 143'],
  ['route', `ip route replace 10.64.5.0/24 via 10.64.5.0 dev ${device} onlink proto 142`],
  ['route', 'ip route replace blackhole 10.64.5.0/24 proto 142'],
  ['route', 'ip route replace 10.99.2.0/24 via 192.168.19.8 proto 142'],
  ['route', 'ip route add 10.99.2.0/25 via 192.168.19.7 proto 142'],
  ['route', 'ip route add 10.99.2.0/24 via 192.168.19.7 proto 142 metric 5'],
  [
    'route',
    'ip route replace 10.99.2.0/24 proto 142 nexthop via 192.168.19.7 dev eth0 nexthop via 192.168.19.8 dev eth0',
  ],
]

for (const [kind, command] of DAMAGES) {
  test(`during our own writes the digest shows ${command}`, async (t) => {
    const { kernel, space } = t.context
    t.deepEqual(await apply(kernel, 'add', [link]), [])
    const before = await digests(kernel)
    t.deepEqual(await apply(kernel, 'add', objects()), [])
    await space.run(command)
    t.deepEqual(await apply(kernel, 'delete', [peer(290).route, peer(290).fdb]), [])
    const after = await digests(kernel)
    t.not(after.get(kind), before.get(kind))
  })
}

test('what the kernel refused, or did not have to do, does not hide what is missing', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const before = await digests(kernel)
  const one = peer(1)
  await space.run(`ip route add ${one.route.destination} via 192.168.19.9 proto 4`)
  t.deepEqual(await apply(kernel, 'add', [one.nexthop, one.route]), ['rtnetlink: EEXIST'])
  t.not((await digests(kernel)).get('route'), before.get('route'))
  await space.run(`ip route del ${one.route.destination}`)
  t.deepEqual(await digests(kernel), before, 'the refused one counts for nothing')
  // Deleted as ours, though it had become another's: still there.
  await space.run(`ip route add ${one.route.destination} via 192.168.19.9 proto 4`)
  t.deepEqual(await apply(kernel, 'delete', [one.route]), [])
  t.not((await digests(kernel)).get('route'), before.get('route'))
  t.is((await kernel.observe('route', [])).has(`route ${prefix('10.64.1.0/24')} 0`), true)
})

test('the host is read in full again when an audit saw changed foreign routes, and only then', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run('ip route add 10.98.0.0/24 via 192.168.19.9; ip nexthop add id 9000 via 192.168.19.9 dev eth0')
  const routes = async (): Promise<readonly string[]> =>
    (await kernel.readHost()).routes.map(({ destination }) => destination).filter((it) => it.startsWith('10.9'))
  t.deepEqual(await routes(), ['10.98.0.0/24'])
  await digests(kernel)
  t.deepEqual(await apply(kernel, 'add', objects()), [])
  // No audit ran and no route change was reported: the former routes.
  await space.run('ip route add 10.97.0.0/24 nhid 9000')
  t.deepEqual(await routes(), ['10.98.0.0/24'])
  await digests(kernel)
  t.deepEqual(await routes(), ['10.97.0.0/24', '10.98.0.0/24'])
  await space.run('ip route del 10.98.0.0/24')
  kernel.forgetRoutes()
  t.deepEqual(await routes(), ['10.97.0.0/24'])
  await space.run('ip link set eth0 mtu 1400')
  t.is((await kernel.readHost()).links.find(({ name }) => name === 'eth0')?.mtu, 1400, 'links are always read')
})
