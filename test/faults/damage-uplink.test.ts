// The interface that the outer packets use changes under the daemon: its address, its MTU, its name's owner.
import test from 'ava'
import { type Cluster, type Node, createCluster, networkWith, reaches } from '../lab/scenarios/cluster.ts'
import { errors } from '../lab/instruments/log-lines.ts'
import { subnetEnv } from '../lab/actors/flanneld.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import type { Host } from '../lab/world/lab.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { PREFIX } from '../lab/world/network.ts'

/** Whether what a host prints matches. */
async function shows({ host }: Node, command: string, pattern: RegExp): Promise<boolean> {
  return pattern.test(await host.run(command))
}

/** What a node's lease says. */
async function publicAddress({ etcd }: Cluster, { subnet }: Node): Promise<string | undefined> {
  const value = await etcd.etcdctl(`get --print-value-only ${PREFIX}/subnets/${subnet}.0-24`)
  return (JSON.parse(value) as { readonly PublicIP?: string }).PublicIP
}

for (const type of ['vxlan', 'host-gw']) {
  test.serial(`the uplink's address changes: lease, device and peers follow, the subnet stays (${type})`, async (t) => {
    const cluster = await createCluster(t, { backend: { Type: type } })
    const [a, b] = cluster.nodes as [Node, Node]
    const pings = await startPings(a.container, b.container.address)
    await waitFor('pings', () => pings.received() > 5)
    await a.host.run('ip addr flush dev enp0s3; ip addr add 192.168.19.131/24 brd + dev enp0s3')
    const start = Date.now()
    await waitFor('lease', async () => (await publicAddress(cluster, a)) === '192.168.19.131').catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${a.daemon.output()}`)
      },
    )
    const flowing = pings.received()
    await waitFor('pings after it', () => pings.received() > flowing)
    // With host-gw pings may still come by what the kernel remembers of the old address.
    const forgotten = async (): Promise<boolean> =>
      !(await shows(
        b,
        'bridge fdb show dev flannel.1; ip route; nft list ruleset | grep -v expires',
        /192\.168\.19\.121/,
      ))
    await waitFor('the peer to have forgotten the old address', forgotten)
    const ms = Date.now() - start
    t.is((await cluster.etcd.leases()).length, 2)
    t.is((await subnetEnv(a.host))['FLANNEL_SUBNET'], `${a.subnet}.1/24`)
    if (type === 'vxlan') {
      t.true(await shows(a, 'ip -d link show flannel.1', /local 192\.168\.19\.131 /))
      t.true(await shows(b, 'bridge fdb show dev flannel.1', /dst 192\.168\.19\.131 self permanent/))
    }
    const { longestGap } = await pings.stop()
    const result = `longest time without a packet ${longestGap} ms`
    await record({
      fault: `uplink's address changed (${type})`,
      promise: 'peers use it within 6 s, after waiting 5 s for the old one',
      limit: 6000,
      ms,
      result,
      test: t.title,
    })
  })
}

for (const type of ['vxlan', 'host-gw']) {
  test.serial(`the uplink is down for a while: healthy when it returns (${type})`, async (t) => {
    const { nodes } = await createCluster(t, { backend: { Type: type }, args: '-audit-interval=600' })
    const [a, b] = nodes as [Node, Node]
    const before = (await kernelText(a.host)).ours
    const pings = await startPings(a.container, b.container.address)
    await waitFor('pings', () => pings.received() > 5)
    await a.host.run('ip link set enp0s3 down')
    let last = { received: pings.received(), at: Date.now() }
    // Two seconds without an answer: the daemon has tried in vain, more than once.
    await waitFor('silence', () => {
      if (pings.received() > last.received) last = { received: pings.received(), at: Date.now() }
      return Date.now() - last.at > 2000
    })
    await a.host.run('ip link set enp0s3 up')
    const start = Date.now()
    await waitFor('whole', async () => (await kernelText(a.host)).ours === before)
    const ms = Date.now() - start
    t.pass()
    await waitFor('pings after it', () => pings.received() > last.received + 5)
    await pings.stop()
    const promise = 'repaired within 1 s'
    await record({ fault: `uplink down for 2 s, up (${type})`, promise, limit: 1000, ms, test: t.title })
  })
}

test.serial("the uplink's MTU changes: device and subnet.env follow, down and up", async (t) => {
  const { nodes } = await createCluster(t)
  const [a, b] = nodes as [Node, Node]
  for (const mtu of [1400, 1500]) {
    await a.host.run(`ip link set enp0s3 mtu ${mtu}`)
    const start = Date.now()
    await waitFor('device', () => shows(a, 'ip link show flannel.1', new RegExp(`mtu ${mtu - 50} `)))
    await waitFor('subnet.env', async () => (await subnetEnv(a.host))['FLANNEL_MTU'] === String(mtu - 50))
    const ms = Date.now() - start
    await record({
      fault: `uplink's MTU changed to ${mtu}`,
      promise: 'device and subnet.env follow within 5 s',
      limit: 5000,
      ms,
      test: t.title,
    })
    t.true(await reaches(a, b))
  }
  t.deepEqual(errors(a.daemon), [])
})

test.serial('Backend.MTU changes: devices and subnet.env follow', async (t) => {
  const { nodes, etcd } = await createCluster(t)
  for (const outer of [1350, 1500]) {
    const mtu = outer - 50
    await etcd.configure(networkWith({ MTU: outer }))
    const start = Date.now()
    for (const node of nodes) {
      await waitFor('device', () => shows(node, 'ip link show flannel.1', new RegExp(`mtu ${mtu} `)))
      await waitFor('subnet.env', async () => (await subnetEnv(node.host))['FLANNEL_MTU'] === String(mtu))
    }
    const ms = Date.now() - start
    t.pass()
    await record({
      fault: `Backend.MTU changed to ${outer}`,
      promise: 'devices and subnet.env follow within 5 s',
      limit: 5000,
      ms,
      test: t.title,
    })
  }
})

test.serial('a foreign route in our way is left alone and reported; ours is added when it goes', async (t) => {
  const theirs = '10.2.77.0/24 via 192.168.19.120 dev enp0s3 proto static'
  const prepare = (host: { run(script: string): Promise<string> }): Promise<string> =>
    host.run(`ip route add ${theirs}`)
  const { nodes, etcd } = await createCluster(t, { prepare, args: '-audit-interval=600' })
  const [a] = nodes as [Node]
  const value = {
    PublicIP: '192.168.19.177',
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:77' },
  }
  await etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.77.0-24`, JSON.stringify(value))
  await a.daemon.line(/conflict: 10\.2\.77\.0\/24 via 192\.168\.19\.120 .* is not ours/)
  // The rest of the peer is programmed all the same.
  await waitFor('its entries', () =>
    shows(a, 'bridge fdb show dev flannel.1', /0a:00:00:00:00:77 dst 192\.168\.19\.177/),
  )
  t.is((await a.host.run('ip route show 10.2.77.0/24')).trim(), theirs)
  await a.host.run(`ip route del 10.2.77.0/24`)
  const start = Date.now()
  await waitFor('our route', () => shows(a, 'ip route show 10.2.77.0/24', /via 10\.2\.77\.0 dev flannel\.1 proto 142/))
  const ms = Date.now() - start
  await a.daemon.line(/conflict over/)
  t.is(errors(a.daemon).filter((line) => line.startsWith('conflict:')).length, 1, 'said once')
  const promise = 'ours is added within 1 s'
  await record({ fault: 'foreign route in our way, removed', promise, limit: 1000, ms, test: t.title })
})

for (const [what, made, kept] of [
  ['VNI', 'id 9 dstport 8472', false],
  ['port', 'id 1 dstport 4789', true],
  ['MAC', 'id 1 dstport 8472', true],
] as const) {
  test.serial(
    `a flannel.1 left with another ${what} is corrected at the start${kept ? ', its MAC kept' : ''}`,
    async (t) => {
      const mac = '0e:00:00:00:00:09'
      const { nodes } = await createCluster(t, {
        prepare: async (host) => {
          if (!host.address.endsWith('.121')) return
          await host.run(`ip link add flannel.1 address ${mac} type vxlan ${made} local 192.168.19.121 dev enp0s3 nolearning
          ip addr add 10.2.99.0/32 dev flannel.1; ip link set flannel.1 up`)
        },
      })
      const [a, b] = nodes as [Node, Node]
      const device = await a.host.run('ip -d addr show flannel.1')
      t.regex(device, /vxlan id 1 local 192\.168\.19\.121 dev enp0s3 .*dstport 8472/)
      t.regex(device, new RegExp(`inet ${a.subnet}\\.0/32`))
      t.notRegex(device, /10\.2\.99\.0/)
      t.regex(device, new RegExp(mac))
      t.true(await shows(b, 'bridge fdb show dev flannel.1', new RegExp(mac)))
      t.deepEqual(errors(a.daemon), [])
    },
  )
}

for (const type of ['vxlan', 'host-gw']) {
  test.serial(`the uplink is deleted and made again, with another index: everything follows (${type})`, async (t) => {
    const over = (host: Host): Promise<unknown> => host.run(`ip link add br9 type bridge; ${overBridge(host.address)}`)
    const cluster = await createCluster(t, { backend: { Type: type }, args: '-iface=br9', prepare: over })
    const [a, b] = cluster.nodes as [Node, Node]
    const index = async (): Promise<string> => (await a.host.run('ip -o link show br9')).split(':')[0] ?? ''
    const before = { index: await index(), ours: (await kernelText(a.host)).ours }
    const pings = await startPings(a.container, b.container.address)
    await waitFor('pings', () => pings.received() > 5)
    await a.host.run(`ip link del br9; ip link add br9 type bridge
      ${overBridge(a.host.address)}`)
    const start = Date.now()
    t.not(await index(), before.index)
    let last = ''
    const whole = async (): Promise<boolean> => (last = (await kernelText(a.host)).ours) === before.ours
    await waitFor('whole', whole).catch(() => {
      t.log(a.daemon.output())
    })
    t.is(last, before.ours)
    const ms = Date.now() - start
    const flowing = pings.received()
    await waitFor('pings after it', () => pings.received() > flowing + 5)
    await pings.stop()
    t.is((await cluster.etcd.leases()).length, 2)
    await record({ fault: `uplink deleted and created again (${type})`, promise: 'all follows', ms, test: t.title })
  })
}

/** Makes br9 the uplink in the place of enp0s3. */
function overBridge(address: string): string {
  return `ip link set enp0s3 master br9; ip addr flush dev enp0s3
    ip addr add ${address}/24 brd + dev br9; ip link set br9 up`
}
