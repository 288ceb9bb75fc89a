// Two hosts of a network on a LAN, with stand-ins for containers and no daemon, for the tests of what a firewall lets
// through: one host has Docker's rules and ours, the other none at all.
import type { ExecutionContext } from 'ava'
import { createFirewall, type Firewall } from '../../../src/firewall/firewall.ts'
import type { FirewallInput } from '../../../src/firewall/iptables/rules.ts'
import { createLog } from '../../../src/log.ts'
import { type Container, createContainer } from '../world/container.ts'
import { INPUT } from './firewall-host.ts'
import { NUMBERINGS, type Numbering, bridgeOf } from './numbering.ts'
import { type RulesOf, engineRules, otherNetworks } from './docker-rules.ts'
import { type Host, createLab } from '../world/lab.ts'
import type { Place } from '../world/space.ts'

/** Both, and a neighbour. */
export interface FirewalledHosts {
  readonly numbering: Numbering
  /** Addresses of the three hosts on the LAN. */
  readonly at: { readonly host: string; readonly peer: string; readonly neighbour: string }
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
  /** What our rules are made from. */
  readonly input: FirewallInput
  /** Applies our rules, changed like this. */
  protect(change?: Partial<FirewallInput>): Promise<void>
  /** Runs iptables, or ip6tables, on `host`. */
  iptables(words: string): Promise<string>
  /** Writes an engine's rules, and those of two more networks of its. */
  docker(engine: RulesOf, networks?: 'and others'): Promise<void>
}

/** Makes them. */
export async function createFirewalledHosts(
  t: ExecutionContext,
  backend: 'vxlan' | 'host-gw',
  numbering = NUMBERINGS[4],
): Promise<FirewalledHosts> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [host, peer, neighbour] = await Promise.all([lan.host(121), lan.host(122), lan.host(123)])
  const { family, network, mtu, device, subnet, of } = numbering
  const on = (to: Host, number: number): Promise<Container> =>
    createContainer(to, { FLANNEL_SUBNET: bridgeOf(numbering, number), FLANNEL_MTU: String(mtu) })
  const [container, remote] = [await on(host, 21), await on(peer, 22)]
  await connect(numbering, { host, number: 21 }, { host: peer, number: 22 }, backend)
  await connect(numbering, { host: peer, number: 22 }, { host, number: 21 }, backend)
  await neighbour.run(`ip route add ${subnet(21)} via ${of(host)}`)
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const firewall = createFirewall({ log, resyncSeconds: 5, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    firewall.stop()
  })
  const overlay =
    backend === 'vxlan'
      ? { name: device, shared: false, from: [network] }
      : { name: 'enp0s3', shared: true, from: [subnet(22)] }
  const input = { ...INPUT, family, network, subnet: subnet(21), masquerade: false, overlay: [overlay] }
  return {
    numbering,
    at: { host: of(host), peer: of(peer), neighbour: of(neighbour) },
    host,
    container,
    peer,
    remote,
    neighbour,
    firewall,
    input,
    async protect(change = {}) {
      firewall.want([{ ...input, ...change }])
      await firewall.settled()
      t.is(firewall.status().error, undefined)
    },
    iptables: (words) => host.run(`${numbering.iptables} ${words}`),
    async docker(engine, networks) {
      const restore = `${numbering.iptables}-restore --noflush`
      await host.run(restore, engineRules(engine, numbering))
      if (networks !== undefined) await host.run(restore, otherNetworks(engine, numbering))
    },
  }
}

/** A host and the number of its subnet. */
interface Numbered {
  readonly host: Host
  readonly number: number
}

async function connect(
  numbering: Numbering,
  own: Numbered,
  its: Numbered,
  backend: 'vxlan' | 'host-gw',
): Promise<void> {
  const { device, bits, subnet, within, of } = numbering
  const to = within(its.number, 0)
  const script = {
    'host-gw': `ip route add ${subnet(its.number)} via ${of(its.host)}`,
    vxlan: `ip link add ${device} address 02:00:00:00:00:${own.number} type vxlan id 1 local ${of(own.host)} dev enp0s3 dstport 8472
      ip addr add ${within(own.number, 0)}/${bits} dev ${device} ${bits === 128 ? 'nodad' : ''} && ip link set ${device} addrgenmode none && ip link set ${device} up
      ip neigh add ${to} lladdr 02:00:00:00:00:${its.number} dev ${device} nud permanent
      bridge fdb append 02:00:00:00:00:${its.number} dev ${device} dst ${of(its.host)}
      ip route add ${subnet(its.number)} via ${to} dev ${device} onlink`,
  }
  await own.host.run(`set -e; ${script[backend]}`)
}

/** Serves TCP: every caller receives its own address. */
export async function serveTcp(at: Place, port: number): Promise<void> {
  const script = `require('net').createServer((s) => s.end(s.remoteAddress.replace('::ffff:', '') + ' ')).listen(${port}, '::', () => console.log('up'))`
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
