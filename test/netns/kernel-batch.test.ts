// Many changes at once, several callers at once, and reading the whole host: on a real kernel.
import { FLANNEL_PROTOCOL, type KernelObject, keyOf } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, ip, link, peer, prefix, present, route, via } from '../golden/objects.ts'

const test = inNamespace()

test('in a batch the good are applied and each bad one is reported by itself', async (t) => {
  const { kernel } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const good = Array.from({ length: 600 }, (_, n) => route(`10.64.${n >> 2}.${(n & 3) * 64}/26`, via('10.64.0.0')))
  const objects = good.map((object, n): KernelObject => {
    if (n % 100 === 50) return { ...object, target: { type: 'nexthop', id: 4711 } }
    if (n % 100 === 51) return { ...object, target: { type: 'gateway', gateway: ip('9.9.9.9'), device, onlink: false } }
    if (n % 100 === 99) return { ...object, target: { type: 'device', device: 'nosuch0' } }
    return object
  })
  const failures = await kernel.apply(objects.map((object) => ({ verb: 'add', object })))
  t.deepEqual(failures.map(({ change }) => objects.indexOf(change.object) % 100).sort(), [
    ...Array<number>(6).fill(50),
    ...Array<number>(6).fill(51),
    ...Array<number>(6).fill(99),
  ])
  t.deepEqual([...new Set(failures.map(({ error }) => error.message))].sort(), [
    'rtnetlink: EINVAL (Nexthop id does not exist)',
    'rtnetlink: ENETUNREACH (Nexthop has invalid gateway)',
    'rtnetlink: ENODEV (no such device)',
  ])
  t.is(
    [...(await kernel.observe('route', [])).values()].filter(
      (found) => found.kind === 'route' && found.protocol === FLANNEL_PROTOCOL,
    ).length,
    582,
  )
})

test('a device made again under its name is found by its new number', async (t) => {
  const { kernel, space } = t.context
  const { fdb, neighbor } = peer(1)
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  await space.run(
    `ip link del ${device} && ip link add ${device} type vxlan id 1 dev eth0 dstport 8472 && ip link set ${device} up`,
  )
  t.deepEqual(await apply(kernel, 'add', [fdb, neighbor]), [])
  t.deepEqual([await present(kernel, fdb), await present(kernel, neighbor)], [fdb, neighbor])
})

test('concurrent calls do not mix their answers', async (t) => {
  const { kernel } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const one = Object.values(peer(1))
  const results = await Promise.all([
    apply(kernel, 'add', one),
    kernel.observe('route', []),
    apply(kernel, 'add', [{ ...peer(2).route, target: { type: 'nexthop', id: 4711 } }]),
    kernel.readHost(),
    apply(kernel, 'delete', [...one].reverse()),
  ])
  t.deepEqual([results[0], results[2], results[4]], [[], ['rtnetlink: EINVAL (Nexthop id does not exist)'], []])
  t.deepEqual(
    results[3].links.map(({ name }) => name).filter((name) => !name.startsWith('eth')),
    ['lo', device],
  )
})

test('the host as the choice of an interface wants it', async (t) => {
  const { kernel, space } = t.context
  await space.run('ip route add default via 192.168.19.1 metric 5; ip addr add fc00::9/64 dev eth0 nodad')
  await space.run(`ip addr add 10.60.0.1 peer 10.60.9.1/24 dev eth0; ip addr add 10.61.0.1/24 dev eth0 noprefixroute
    ip addr add 10.62.0.1/32 dev eth0`)
  await space.run(`ip nexthop add id 9 via 192.168.19.2 dev eth0 && ip route add 11.0.0.0/8 nhid 9
    ip route add unreachable 12.0.0.0/8`)
  const { links, addresses, routes } = await kernel.readHost()
  const eth0 = links.find(({ name }) => name === 'eth0')
  t.like(eth0, { mtu: 1500, up: true, loopback: false })
  t.like(
    links.find(({ name }) => name === 'lo'),
    { loopback: true, up: true },
  )
  const index = eth0?.index ?? 0
  t.deepEqual(
    addresses.filter((own) => own.index === index && own.scope === 'global'),
    [
      { index, address: ip('192.168.19.121'), length: 24, scope: 'global', network: prefix('192.168.19.0/24') },
      { index, address: ip('10.60.0.1'), length: 24, scope: 'global', network: prefix('10.60.9.0/24') },
      { index, address: ip('10.61.0.1'), length: 24, scope: 'global', network: undefined },
      { index, address: ip('10.62.0.1'), length: 32, scope: 'global', network: undefined },
      { index, address: ip('fc00::9'), length: 64, scope: 'global', network: prefix('fc00::/64') },
    ],
  )
  t.true(addresses.some(({ address, scope }) => address === '127.0.0.1' && scope === 'host'))
  t.deepEqual(
    routes.find(({ destination }) => destination === '0.0.0.0/0'),
    {
      destination: prefix('0.0.0.0/0'),
      metric: 5,
      index,
      gateway: ip('192.168.19.1'),
      live: true,
    },
  )
})

test('20,000 peers go in and out, and the event loop keeps turning', async (t) => {
  const { kernel } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const peers = Array.from({ length: 20_000 }, (_, n) => peer(n))
  const times: string[] = []
  let longest = 0
  let turns = 0
  let last = performance.now()
  const ticker = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    turns++
  }, 1)
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await work()
    times.push(`${what} ${(performance.now() - start).toFixed(0)} ms`)
    return result
  }
  for (const kind of ['fdb', 'neighbor', 'nexthop', 'route'] as const) {
    const objects = peers.map((own) => own[kind])
    t.deepEqual(await timed(`add ${kind}`, () => apply(kernel, 'add', objects)), [])
    const found = await timed(`read ${kind}`, () => kernel.observe(kind, [device]))
    t.is(objects.filter((object) => found.has(keyOf(object))).length, objects.length)
  }
  for (const kind of ['route', 'nexthop', 'neighbor', 'fdb'] as const)
    t.deepEqual(
      await timed(`delete ${kind}`, () =>
        apply(
          kernel,
          'delete',
          peers.map((own) => own[kind]),
        ),
      ),
      [],
    )
  clearInterval(ticker)
  t.log(`${times.join(', ')}; the loop was held for at most ${longest.toFixed(0)} ms`)
  t.true(turns > 100)
})
