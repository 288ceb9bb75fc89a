// A host of both families on which Go's flanneld ran, and a daemon that is killed and started again: neither family notices.
import test from 'ava'
import { startFlanneld, subnetEnv, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { errors, warnings } from '../lab/instruments/log-lines.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForMorePings } from '../lab/instruments/tcp-streams.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Cluster, IPV6, type Node, createCluster, macOf } from '../lab/scenarios/cluster.ts'
import { createContainer } from '../lab/world/container.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

const MACS = ['c6:d2:32:6f:8f:44', 'c6:d2:32:6f:8f:46'] as const
const SIX = 'fd00:10:2:42::'

/** What Go's flanneld leaves of a peer, by family. */
function goPeer(device: string, subnet: string, length: number, mac: string, address: string): string {
  return `ip neigh add ${subnet} lladdr ${mac} nud permanent dev ${device}
    bridge fdb add ${mac} dev ${device} dst ${address} self permanent
    ip route add ${subnet}/${length} via ${subnet} dev ${device} onlink`
}

/** Host .121 as Go's flanneld left it a moment ago, in both families, with a container. */
async function afterGo({ lan, etcd }: Cluster, peer: Node): Promise<Omit<Node, 'daemon'>> {
  const host = await lan.host(121)
  // The other host chose its own by chance.
  const subnet = peer.subnet === '10.2.5' ? '10.2.6' : '10.2.5'
  const peer6 = (peer.env['FLANNEL_IPV6_SUBNET'] ?? '').replace('1/64', '')
  const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  const value = {
    PublicIP: host.address,
    PublicIPv6: host.address6,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: MACS[0] },
    BackendV6Data: { VNI: 1, VtepMAC: MACS[1] },
  }
  await etcd.run(`etcdctl put --lease=${id} '${PREFIX}/subnets/${subnet}.0-24&${SIX}-64'`, JSON.stringify(value))
  const env = {
    FLANNEL_NETWORK: '10.2.0.0/16',
    FLANNEL_SUBNET: `${subnet}.1/24`,
    FLANNEL_IPV6_NETWORK: 'fd00:10:2::/48',
    FLANNEL_IPV6_SUBNET: `${SIX}1/64`,
    FLANNEL_MTU: '1430',
    FLANNEL_IPMASQ: 'false',
  }
  const lines = Object.entries(env).map(([name, text]) => `${name}=${text}`)
  await host.run('cat >/run/flannel/subnet.env', `${lines.join('\n')}\n`)
  await host.run(`set -e
    ip link add flannel.1 address ${MACS[0]} mtu 1450 type vxlan id 1 dev enp0s3 local ${host.address} dstport 8472 nolearning
    ip link add flannel-v6.1 address ${MACS[1]} mtu 1430 type vxlan id 1 dev enp0s3 local ${host.address6} dstport 8472 nolearning
    ip addr add ${subnet}.0/32 dev flannel.1
    ip link set flannel.1 up
    ip link set flannel-v6.1 up
    ip addr add ${SIX}/128 dev flannel-v6.1 nodad
    ${goPeer('flannel.1', `${peer.subnet}.0`, 24, await macOf(peer), peer.host.address)}
    ${goPeer('flannel-v6.1', peer6, 64, await macOf(peer, 'flannel-v6.1'), peer.host.address6)}
    ${goPeer('flannel-v6.1', 'fd00:10:2:200::', 64, '0a:00:00:00:00:c8', 'fd00:19::200')}`)
  return { host, env, subnet, container: await createContainer(host, env) }
}

test.serial("takeover from Go's flanneld in both families, then SIGKILL and SIGTERM: nothing lost", async (t) => {
  const cluster = await createCluster(t, { keys: IPV6, hosts: 1, first: 122 })
  const { etcd, nodes } = cluster
  const [peer] = nodes as [Node]
  const taken = await afterGo(cluster, peer)
  const { host, env, container } = taken
  const before = { ...taken, daemon: peer.daemon }
  const reach = (from: typeof container, to: string): Promise<unknown> =>
    waitFor(to, async () => (await from.run(`ping -c 1 -W 1 ${to} || true`)).includes(' 0% packet loss'))
  await reach(container, peer.container.address)
  await reach(container, peer.container.address6)
  const leases = await etcd.leases()
  const pings = await Promise.all([
    startPings(container, peer.container.address),
    startPings(container, peer.container.address6),
    startPings(peer.container, container.address6),
  ])
  for (const [what, signal] of [
    ['taken over', 'SIGKILL'],
    ['killed and started again', 'SIGTERM'],
    ['stopped and started again', 'SIGTERM'],
  ] as const) {
    const daemon = await startFlanneld(host, ARGS)
    await waitForSubnetEnv(host, daemon)
    await daemon.line(/ready: /)
    await daemon.line(/firewall: IPv6/)
    for (const each of pings) await waitForMorePings(each, 50)
    t.deepEqual((await etcd.leases()).toSorted(), leases.toSorted(), `${what}: leases`)
    t.deepEqual(await subnetEnv(host), env, `${what}: subnet.env`)
    t.deepEqual([await macOf(before), await macOf(before, 'flannel-v6.1')], [...MACS], `${what}: MACs`)
    const there = await host.run('ip -6 route; ip neigh; bridge fdb; ip -6 addr show dev flannel-v6.1')
    t.notRegex(there, /fd00:10:2:200:|fd00:19::200/, `${what}: nothing of peers that left`)
    t.regex(there, /^fd00:10:2:\w+::\/64 via \S+ dev flannel-v6\.1 proto 142/m, `${what}: the route is ours now`)
    t.notRegex(there, /^fd00:10:2:\w+::\/64 via \S+ dev flannel-v6\.1 (?!proto 142)/m, `${what}: and no second one`)
    t.deepEqual([...errors(daemon), ...warnings(daemon)], [], what)
    await daemon.stop(signal, 2000)
    for (const each of pings) await waitForMorePings(each, 50)
  }
  const reports = await Promise.all(pings.map((each) => each.stop()))
  t.deepEqual(
    reports.map(({ lost }) => lost),
    [0, 0, 0],
  )
  const sent = reports.reduce((sum, each) => sum + each.sent, 0)
  await record({
    fault: 'takeover from Go in both families, SIGKILL, SIGTERM, restarts',
    promise: 'no packet lost',
    result: `0 of ${sent} packets lost`,
    test: t.title,
  })
})
