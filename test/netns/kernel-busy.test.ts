// A host on which so much comes and goes that no list the kernel makes is of one moment: what is ours is read, written and
// repaired as on a quiet one.
import { KINDS } from '../../src/kernel/state.ts'
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, ip, link, mac, peer } from '../golden/objects.ts'
import { inject } from '../lab/preload/netlink-faults.ts'

const test = inNamespace()

test.serial('every kind is read as ever while all lists are interrupted', async (t) => {
  const { kernel, space } = t.context
  const { fdb, neighbor, nexthop, route } = peer(3)
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  t.deepEqual(await apply(kernel, 'add', [fdb, neighbor, nexthop, route]), [])
  await space.run(`ip addr add 10.64.0.0/32 dev ${device}; ip route add 10.98.0.0/24 via 192.168.19.9`)
  const quiet = await Promise.all(KINDS.map((kind) => kernel.observe(kind, [device])))
  const host = await kernel.readHost()
  const faults = inject({ type: 'interrupted' })
  try {
    for (const [n, kind] of KINDS.entries()) {
      t.deepEqual(await kernel.observe(kind, [device]), quiet[n], kind)
      await t.notThrowsAsync(kernel.fingerprint(kind, [device]), kind)
    }
    kernel.forgetRoutes()
    t.deepEqual(await kernel.readHost(), host)
    t.true(await kernel.hasNexthops())
    t.true(faults.struck())
    // A second read shows what an add collides with.
    await space.run(`ip neigh add 10.64.9.0 dev ${device} lladdr 0a:00:00:00:99:99 nud stale`)
    const wanted = { kind: 'neighbor', device, address: ip('10.64.9.0'), mac: mac('0a:00:00:00:00:09') } as const
    t.deepEqual(await apply(kernel, 'add', [wanted]), [])
  } finally {
    faults.remove()
  }
})

test.serial('the uplink and its address are found though the list that counts passed over them', async (t) => {
  const { kernel, space } = t.context
  const host = await kernel.readHost()
  const index = Number.parseInt(await space.run('ip -o link show eth0'), 10)
  const faults = inject({ type: 'interrupted', passesOver: index })
  try {
    kernel.forgetRoutes()
    const seen = await kernel.readHost()
    t.deepEqual(
      seen.links.find((one) => one.index === index),
      host.links.find((one) => one.name === 'eth0'),
    )
    t.deepEqual(
      seen.addresses.filter((one) => one.index === index),
      host.addresses.filter((one) => one.index === index),
    )
  } finally {
    faults.remove()
  }
})

test.serial('a device of ours costs the same reading, however many others there are', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const cost = async (): Promise<number> => {
    const faults = inject(undefined)
    try {
      for (const kind of KINDS) await kernel.observe(kind, [device])
      return faults.receipts()
    } finally {
      faults.remove()
    }
  }
  const alone = await cost()
  await space.run('for i in $(seq 1 300); do echo "link add link eth1 s$i type macvlan"; done | ip -batch -')
  t.is(await cost(), alone)
})

test.serial("an object on a device outside the query shows the device's name", async (t) => {
  const { kernel, space } = t.context
  await space.run(
    'ip route add 10.98.0.0/24 dev eth0; ip link set eth0 down; ip link set eth0 name wan0; ip link set wan0 up',
  )
  await space.run('ip route add 10.98.0.0/24 dev wan0 2>/dev/null || true; ip route add 10.97.0.0/24 dev wan0')
  const routes = await kernel.observe('route', [device])
  t.like(routes.get('route 10.97.0.0/24 0'), { target: { type: 'device', device: 'wan0' } })
  // Many of them at once, with one list.
  await space.run(`for i in $(seq 1 80); do echo "link add link wan0 s$i type macvlan"; echo "link set s$i up"; done | ip -batch -
    for i in $(seq 1 80); do echo "route add 10.96.$i.0/24 dev s$i"; done | ip -batch -`)
  const many = await kernel.observe('route', [device])
  for (const n of [1, 40, 80])
    t.like(many.get(`route 10.96.${n}.0/24 0`), { target: { type: 'device', device: `s${n}` } })
})
