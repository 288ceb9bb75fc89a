// Two hosts of a network on a LAN, with stand-ins for containers and no daemon, for the tests of what a firewall lets
// through: one host has Docker's rules and ours, the other none at all.
import type { ExecutionContext } from 'ava'
import { createFirewall, type Firewall } from '../../../src/firewall/firewall.ts'
import type { FirewallInput } from '../../../src/firewall/iptables/rules.ts'
import { createLog } from '../../../src/log.ts'
import { type Container, createContainer } from '../world/container.ts'
import { INPUT } from './firewall-host.ts'
import { type Host, createLab } from '../world/lab.ts'
import type { Place } from '../world/space.ts'
import { prefix } from '../../fake/values.ts'

/** Both, and a neighbour. */
export interface FirewalledHosts {
  /** With Docker and our firewall. */
  readonly host: Host
  /** On its docker0. */
  readonly container: Container
  /** On a peer without any rule. */
  readonly peer: Host
  readonly remote: Container
  /** On the LAN, no peer; sends to the containers by way of `host`. */
  readonly neighbour: Host
  readonly firewall: Firewall
  /** Applies our rules, changed like this. */
  protect(change?: Partial<FirewallInput>): Promise<void>
}

/** Makes them. */
export async function createFirewalledHosts(
  t: ExecutionContext,
  backend: 'vxlan' | 'host-gw',
): Promise<FirewalledHosts> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [host, peer, neighbour] = await Promise.all([lan.host(121), lan.host(122), lan.host(123)])
  const container = await createContainer(host, { FLANNEL_SUBNET: '10.2.21.1/24', FLANNEL_MTU: '1450' })
  const remote = await createContainer(peer, { FLANNEL_SUBNET: '10.2.22.1/24', FLANNEL_MTU: '1450' })
  await connect(host, 21, peer, 22, backend)
  await connect(peer, 22, host, 21, backend)
  await neighbour.run(`ip route add 10.2.21.0/24 via ${host.address}`)
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const firewall = createFirewall({ log, resyncSeconds: 5, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    firewall.stop()
  })
  const overlay =
    backend === 'vxlan'
      ? { name: 'flannel.1', shared: false, from: [INPUT.network] }
      : { name: 'enp0s3', shared: true, from: [prefix('10.2.22.0/24')] }
  return {
    host,
    container,
    peer,
    remote,
    neighbour,
    firewall,
    async protect(change = {}) {
      firewall.want([{ ...INPUT, masquerade: false, overlay: [overlay], ...change }])
      await firewall.settled()
      t.is(firewall.status().error, undefined)
    },
  }
}

async function connect(host: Host, own: number, peer: Host, its: number, backend: 'vxlan' | 'host-gw'): Promise<void> {
  const script = {
    'host-gw': `ip route add 10.2.${its}.0/24 via ${peer.address}`,
    vxlan: `ip link add flannel.1 address 02:00:00:00:00:${own} type vxlan id 1 local ${host.address} dev enp0s3 dstport 8472
      ip addr add 10.2.${own}.0/32 dev flannel.1 && ip link set flannel.1 up
      ip neigh add 10.2.${its}.0 lladdr 02:00:00:00:00:${its} dev flannel.1 nud permanent
      bridge fdb append 02:00:00:00:00:${its} dev flannel.1 dst ${peer.address}
      ip route add 10.2.${its}.0/24 via 10.2.${its}.0 dev flannel.1 onlink`,
  }
  await host.run(`set -e; ${script[backend]}`)
}

/** Serves TCP: every caller receives its own address. */
export async function serveTcp(at: Place, port: number): Promise<void> {
  const script = `require('net').createServer((s) => s.end(s.remoteAddress + ' ')).listen(${port}, '0.0.0.0', () => console.log('up'))`
  await (await at.spawn(`${process.execPath} -e "${script}"`)).line(/up/)
}

/** What a server at `to` says to `from`, or undefined when it cannot be reached. */
export async function askTcp(from: Place, to: string, port: number): Promise<string | undefined> {
  const command = `timeout 2 bash -c 'exec 3<>/dev/tcp/${to}/${port}; cat <&3'`
  return from.run(command).then(
    (said) => said.trim(),
    () => undefined,
  )
}
