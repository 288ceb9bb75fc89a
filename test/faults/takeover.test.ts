// A host on which Go's flanneld ran, and a daemon that is killed and started again: the data path never notices.
import test from 'ava'
import { type Cluster, type Node, createCluster, macOf, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { createContainer } from '../lab/world/container.ts'
import { errors, warnings } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForMorePings, startStreams } from '../lab/instruments/tcp-streams.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

const GO_MAC = 'c6:d2:32:6f:8f:44'

/** What Go's flanneld v0.20.2 leaves of a peer on a vxlan host; routes carry no protocol of its own. */
function goPeer(subnet: string, mac: string, address: string): string {
  return `ip neigh add ${subnet}.0 lladdr ${mac} nud permanent dev flannel.1
    bridge fdb add ${mac} dev flannel.1 dst ${address} self permanent
    ip route add ${subnet}.0/24 via ${subnet}.0 dev flannel.1 onlink`
}

/** Its firewall, with -ip-masq left out. */
const GO_RULES = `iptables -N FLANNEL-FWD
  iptables -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
  iptables -A FLANNEL-FWD -s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
  iptables -A FLANNEL-FWD -d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`

/** Puts a lease as Go writes it, attached to an etcd lease of a day. */
async function goLease({ etcd }: Cluster, subnet: string, rest: object): Promise<void> {
  const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  const value = { PublicIP: '192.168.19.121', PublicIPv6: null, ...rest }
  await etcd.run(`etcdctl put --lease=${id} ${PREFIX}/subnets/${subnet}.0-24`, JSON.stringify(value))
}

/** Host .121 as Go's flanneld left it a moment ago, next to a host of ours; a container on each, reaching one another. */
async function afterGo(cluster: Cluster, peer: Node, type: 'vxlan' | 'host-gw'): Promise<Omit<Node, 'daemon'>> {
  const host = await cluster.lan.host(121)
  const vxlan = type === 'vxlan'
  const mtu = vxlan ? 1450 : 1500
  const data = vxlan ? { BackendData: { VNI: 1, VtepMAC: GO_MAC } } : {}
  // The other host chose its own by chance.
  const subnet = peer.subnet === '10.2.5' ? '10.2.6' : '10.2.5'
  await goLease(cluster, subnet, { BackendType: type, ...data })
  const env = {
    FLANNEL_NETWORK: '10.2.0.0/16',
    FLANNEL_SUBNET: `${subnet}.1/24`,
    FLANNEL_IPMASQ: 'false',
    FLANNEL_MTU: String(mtu),
  }
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  await host.run('cat >/run/flannel/subnet.env', `${lines.join('\n')}\n`)
  await host.run(`set -e; iptables -P FORWARD DROP; ${GO_RULES}`)
  await host.run(
    vxlan
      ? `set -e
        ip link add flannel.1 address ${GO_MAC} mtu 1450 type vxlan id 1 dev enp0s3 local 192.168.19.121 dstport 8472 nolearning
        ip addr add ${subnet}.0/32 dev flannel.1
        ip link set flannel.1 up
        ${goPeer(peer.subnet, await macOf(peer), peer.host.address)}
        ${goPeer('10.2.200', '0a:00:00:00:00:c8', '192.168.19.200')}`
      : `set -e
        ip route add ${peer.subnet}.0/24 via ${peer.host.address} dev enp0s3`,
  )
  return { host, env, subnet, container: await createContainer(host, env) }
}

/** How many etcd leases there are. */
async function etcdLeases({ etcd }: Cluster): Promise<number> {
  return (await etcd.etcdctl('lease list')).trim().split('\n').length - 1
}

for (const type of ['vxlan', 'host-gw'] as const) {
  test.serial(`takeover from Go's flanneld, then SIGKILL and SIGTERM: nothing lost (${type})`, async (t) => {
    const cluster = await createCluster(t, { backend: { Type: type }, hosts: 1, first: 122 })
    const [peer] = cluster.nodes as [Node]
    const taken = await afterGo(cluster, peer, type)
    const { host, env } = taken
    const before = { ...taken, daemon: peer.daemon }
    await waitUntilReached(before, peer)
    const leases = [await etcdLeases(cluster), await cluster.etcd.leases()]
    const mac = type === 'vxlan' ? await macOf(before) : ''
    const there = await startPings(taken.container, peer.container.address)
    const back = await startPings(peer.container, taken.container.address)
    const streams = await startStreams(t.log, taken.container, peer.container)
    await waitForMorePings(there, 10)

    const same = async (what: string): Promise<void> => {
      t.deepEqual([await etcdLeases(cluster), await cluster.etcd.leases()], leases, `${what}: leases`)
      t.deepEqual(await subnetEnv(host), env, `${what}: subnet.env`)
      if (type === 'vxlan') t.is(await macOf(before), mac, `${what}: MAC`)
    }
    // The second way of routing and back, as when a cluster grows past the size for it and shrinks again.
    for (const [what, signal, args] of [
      ['taken over', 'SIGKILL', ''],
      ['killed and started again', 'SIGTERM', '-nexthop-objects=always'],
      ['stopped and started again', 'SIGTERM', ''],
    ] as const) {
      const daemon = await startFlanneld(host, `${ARGS} ${args}`)
      await waitForSubnetEnv(host, daemon)
      await daemon.line(/ready: /)
      await daemon.line(/firewall: IPv4/)
      await waitForMorePings(there, 50)
      await same(what)
      const gone = await host.run('ip route; ip neigh; bridge fdb')
      t.notRegex(gone, /10\.2\.200\.|192\.168\.19\.200/, `${what}: nothing of peers that left`)
      t.regex(gone, new RegExp(`^${peer.subnet}\\.0/24 .* proto 142`, 'm'), `${what}: the route is ours now`)
      t.deepEqual([...errors(daemon), ...warnings(daemon)], [], what)
      t.is((await daemon.stop(signal, 2000)).signal, signal === 'SIGKILL' ? 'SIGKILL' : null)
      await waitForMorePings(there, 50)
      await same(`${what}, then ${signal}`)
    }
    const { alive } = await streams.stop()
    const reports = [await there.stop(), await back.stop()]
    t.is(alive, 32, 'TCP streams')
    for (const { lost, sent } of reports) t.is(lost, 0, `of ${sent} pings`)
    const result = `${reports[0]?.lost} of ${reports[0]?.sent} packets lost, ${alive} of 32 TCP streams alive`
    await record({
      fault: `takeover from Go, SIGKILL, SIGTERM, restarts (${type})`,
      promise: 'no packet lost',
      result,
      test: t.title,
    })
  })
}

test.serial("what we write to etcd is as Go writes it, and Go's leases are read", async (t) => {
  const cluster = await createCluster(t, { hosts: 1 })
  const [node] = cluster.nodes as [Node]
  const read = (): Promise<string> =>
    cluster.etcd.etcdctl(`get --print-value-only ${PREFIX}/subnets/${node.subnet}.0-24`)
  const { HostID: id, ...asGo } = JSON.parse(await read()) as { readonly HostID?: string }
  t.is(
    JSON.stringify(asGo),
    `{"PublicIP":"192.168.19.121","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${await macOf(node)}"}}`,
  )
  t.regex(id ?? '', /^\S+$/)
  const value = (address: string, mac: string): object => ({
    PublicIP: address,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: mac },
  })
  await cluster.etcd.run(
    `etcdctl put ${PREFIX}/subnets/10.2.250.0-24`,
    JSON.stringify(value('192.168.19.250', '0a:00:00:00:00:fa')),
  )
  await waitFor('the route to a host of Go', async () => (await node.host.run('ip route show 10.2.250.0/24')) !== '')
  t.deepEqual(errors(node.daemon), [])
})
