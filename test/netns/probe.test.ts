// What the daemons find by probing each other, on real hosts: nothing on a healthy network, and each fault by its name.
import test from 'ava'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { type Node, createCluster, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { BUNDLE } from '../lab/actors/flanneld.ts'
import { pathOf, waitForHealth } from '../lab/instruments/probe-results.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'

/** Two nodes that see each other up. */
async function pair(t: Parameters<typeof createCluster>[0], backend = {}): Promise<readonly [Node, Node]> {
  const [a, b] = (await createCluster(t, { backend })).nodes
  if (a === undefined || b === undefined) throw new Error('a cluster of two has two nodes')
  await Promise.all([waitForHealth(a, b, { state: 'up' }), waitForHealth(b, a, { state: 'up' })])
  return [a, b]
}

/** Whether the socket of a process with this inode is closed in the programs it starts (proc(5), O_CLOEXEC in flags). */
function closesOnExec(pid: number, inode: string): boolean {
  const fd = readdirSync(`/proc/${pid}/fd`).find((it) => readlinkSync(`/proc/${pid}/fd/${it}`) === `socket:[${inode}]`)
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1]
  return (Number.parseInt(flags ?? '0', 8) & 0o2000000) !== 0
}

test('peers that are well: up, with a round-trip time, and the MTU proven; nothing else changes', async (t) => {
  const [a, b] = await pair(t)
  const state = 'ip route; ip neigh show dev flannel.1; bridge fdb show dev flannel.1'
  const before = await a.host.run(state)
  const { rttMs = 0 } = await waitForHealth(a, b, { state: 'up', cause: 'none', pathMtu: 1450, note: '' })
  t.true(rttMs > 0)
  t.like(await pathOf(a.host, b.host.address), {
    via: 'tunnel',
    outer: 'udp 8472',
    mtu: 1450,
    publicAddress: b.host.address,
  })
  t.is(await a.host.run(state), before)
  const raw = (await a.host.run('cat /proc/net/raw')).trim().split('\n').slice(1)
  t.is(raw.length, 1, 'one socket for all peers')
  t.true(closesOnExec(a.daemon.pid, raw[0]?.trim().split(/\s+/)[9] ?? ''))
  t.notRegex(a.daemon.output(), / (probe|peer .*unreach)/)
})

for (const { hook, cause, note, theirs } of [
  {
    hook: 'output',
    cause: 'tunnel-blocked-out',
    note: 'udp 8472 blocked? what we send is lost',
    theirs: 'tunnel-blocked-in',
  },
  {
    hook: 'input',
    cause: 'tunnel-blocked-in',
    note: 'udp 8472 blocked? what it sends is lost',
    theirs: 'tunnel-blocked-out',
  },
  { hook: 'both', cause: 'tunnel-blocked', note: 'udp 8472 blocked?', theirs: 'tunnel-blocked' },
] as const) {
  test(`UDP 8472 blocked, ${hook}: found, named on both sides, and its end as well`, async (t) => {
    const [a, b] = await pair(t)
    const chains = hook === 'both' ? (['input', 'output'] as const) : [hook]
    await a.host.run(
      ['add table ip block', ...chains.flatMap((it) => chainOf(it))].map((line) => `nft '${line}'`).join('\n'),
    )
    const [here, there] = await Promise.all([
      waitForHealth(a, b, { state: 'unreachable', cause, note, loss: 1 }),
      waitForHealth(b, a, { state: 'unreachable', cause: theirs }),
    ])
    t.log(`${cause} after ${here.ms} ms, there ${theirs} after ${there.ms} ms`)
    await a.daemon.line(new RegExp(`^W.* peer ${b.subnet}.0/24 unreachable: udp 8472 blocked`))
    await a.host.run('nft delete table ip block')
    const well = await waitForHealth(a, b, { state: 'up', cause: 'none' })
    await waitForHealth(b, a, { state: 'up', cause: 'none' })
    t.log(`up again after ${well.ms} ms`)
    await a.daemon.line(new RegExp(`^I.* peer ${b.subnet}.0/24 up`))
    t.pass()
  })
}

test('a peer that does not probe, as under Go: a blocked tunnel is found, its direction is not', async (t) => {
  const [a, b] = await pair(t)
  await b.daemon.stop()
  await a.host.run(['add table ip block', ...chainOf('output')].map((line) => `nft '${line}'`).join('\n'))
  const { cause } = await waitForHealth(a, b, { state: 'unreachable', note: 'udp 8472 blocked?' })
  t.is(cause, 'tunnel-blocked')
})

/** Commands for nft that drop what goes to the port in a hook. */
function chainOf(hook: 'input' | 'output'): readonly string[] {
  return [
    `add chain ip block ${hook} { type filter hook ${hook} priority 0; }`,
    `add rule ip block ${hook} udp dport 8472 drop`,
  ]
}

test('a host that is down is called so, and a host that only drops ICMP is not', async (t) => {
  const [a, b] = await pair(t)
  await b.host.run(`nft 'add table ip quiet'
    nft 'add chain ip quiet input { type filter hook input priority 0; }'
    nft 'add rule ip quiet input iifname enp0s3 icmp type echo-request drop'`)
  const turns = (await pathOf(a.host, `${b.subnet}.0`)).health?.rttMs
  await waitFor('another turn', async () => (await pathOf(a.host, `${b.subnet}.0`)).health?.rttMs !== turns)
  t.like((await pathOf(a.host, `${b.subnet}.0`)).health, { state: 'up', cause: 'none', pathMtu: 1450 })

  await b.host.run('ip link set enp0s3 down')
  const down = await waitForHealth(a, b, {
    state: 'unreachable',
    cause: 'host-down',
    note: 'its host does not answer either: down?',
  })
  t.log(`host-down after ${down.ms} ms`)
  await b.host.run('ip link set enp0s3 up')
  await waitForHealth(a, b, { state: 'up' })
})

test('host-gw: the public address and the full MTU are probed, and a host that is down is found', async (t) => {
  const [a, b] = await pair(t, { Type: 'host-gw' })
  await waitForHealth(a, b, { state: 'up', pathMtu: 1500 })
  t.like(await pathOf(a.host, `${b.subnet}.0`), { via: 'direct', outer: '', mtu: 1500, tunnel: null })
  await b.host.run('ip link set enp0s3 down')
  const down = await waitForHealth(a, b, { state: 'unreachable', cause: 'host-down', note: 'does not answer: down?' })
  t.log(`host-down after ${down.ms} ms`)
})

test('-probe-interval=0, or no CAP_NET_RAW: no probes, one warning, all else works; as user nobody with it: probes', async (t) => {
  const { nodes } = await createCluster(t, { args: '-probe-interval=0' })
  const [a, b] = nodes
  if (a === undefined || b === undefined) return t.fail()
  t.is((await pathOf(a.host, `${b.subnet}.0`)).health, null)
  t.is((await a.host.run('cat /proc/net/raw')).trim().split('\n').length, 1, 'no raw socket, only the heading')

  await a.daemon.stop()
  const daemon = await a.host.spawn(`setpriv --bounding-set=-net_raw ${BUNDLE} ${ARGS} -probe-interval=1`)
  await daemon.line(/ready:/)
  await daemon.line(/^W.* no probes: raw socket: CAP_NET_RAW is missing; peers' states are not known/)
  await waitUntilReached(a, b)
  t.is((await pathOf(a.host, `${b.subnet}.0`)).health, null)
  await daemon.stop()

  await a.host.run('chown -R nobody /run/flannel')
  const caps = '-all,+net_admin,+net_raw'
  const little = `setpriv --no-new-privs --bounding-set=${caps} --inh-caps=${caps} --ambient-caps=${caps}`
  const nobody = await a.host.spawn(`${little} --reuid nobody --regid nogroup --clear-groups ${BUNDLE} ${ARGS}`)
  await waitForHealth({ host: a.host, daemon: nobody }, b, { state: 'up', pathMtu: 1450 })
})
