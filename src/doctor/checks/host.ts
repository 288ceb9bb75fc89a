// What the kernel must have and be set to: modules, forwarding, the reverse path filter, netfilter on bridges.
import { linksOf } from '../../obstacles/obstacles.ts'
import { primaryExternal } from '../../overlay/inputs.ts'
import type { Address } from '../../ip/address.ts'
import { contains } from '../../ip/prefix.ts'
import { parseSaved, ruleTarget, words } from '../../firewall/iptables/ruleset.ts'
import { type Fault, type CheckOutcome, firstOf, outcomeOf, type OwnCheck, type OwnFacts } from '../finding.ts'
import type { ExpectedPlan } from '../expected-state.ts'

export const modulesCheck: OwnCheck = {
  name: 'modules',
  about: 'the kernel has VXLAN',
  ofPeer: false,
  run({ host, plan }) {
    const needed = !('value' in plan) || plan.value.wanted.some(({ object }) => object.kind === 'link')
    if (!needed) return { seen: 'no tunnel is wanted' }
    if ('unknown' in host.vxlan) return { unchecked: host.vxlan.unknown }
    if (host.vxlan.value) return { seen: 'vxlan' }
    const cause = 'the kernel has no VXLAN: the tunnel device cannot be created'
    const fix = 'modprobe vxlan (on some systems in a package of extra modules), or Backend.Type host-gw'
    return {
      faults: [{ level: 'fault', stops: true, cause, fix, proof: 'creating a device of kind vxlan: not supported' }],
    }
  },
}

export const forwardCheck: OwnCheck = {
  name: 'ip-forward',
  about: 'the kernel forwards packets',
  ofPeer: false,
  run({ host }) {
    const faults: Fault[] = []
    const all = host.sysctls.get('net/ipv4/ip_forward')
    const fix = (name: string): string => `sysctl -w ${name}=1, and the same line in /etc/sysctl.d/`
    if (all === '0') {
      const cause = 'the kernel does not forward packets: containers cannot reach other hosts'
      faults.push({
        level: 'fault',
        stops: true,
        cause,
        fix: fix('net.ipv4.ip_forward'),
        proof: 'net.ipv4.ip_forward = 0',
      })
    }
    for (const [path, value] of host.sysctls) {
      const device = /conf\/(.+)\/forwarding$/.exec(path)?.[1]
      if (device === undefined || device === 'all' || value !== '0' || all === '0') continue
      const cause = `the kernel does not forward what arrives on ${device}`
      const name = `net.ipv4.conf.${device.replace('.', '/')}.forwarding`
      faults.push({ level: 'fault', stops: true, cause, fix: fix(name), proof: `${name} = 0` })
    }
    return outcomeOf(faults, 'net.ipv4.ip_forward = 1')
  },
}

export const reversePathCheck: OwnCheck = {
  name: 'rp-filter',
  about: 'the reverse path filter drops no packets of peers',
  ofPeer: true,
  run(facts) {
    if ('unknown' in facts.plan) return { unchecked: facts.plan.unknown }
    return reversePathOutcome(facts, facts.plan.value)
  },
}

/**
 * A strict filter (1) drops what comes in by another device than an answer would leave by (ip-sysctl.rst). The device in
 * follows from our lease, the device out from the peer's: with two backends in use they differ.
 */
function reversePathOutcome(
  { host, target, probes }: OwnFacts,
  { wanted, configuration, inputs, peers }: ExpectedPlan,
): CheckOutcome {
  if (inputs === undefined) return { unchecked: 'this host has no lease' }
  const external = primaryExternal(inputs)
  const strict = (device: string): boolean => filterOf(host.sysctls, device) === 1
  const { own } = configuration
  const [tunnel] = linksOf(configuration, inputs.externals, inputs.hostId)
  const direct = own.backend.receivesDirectly(own.config)
  const wayIn = (address: Address): string => {
    const past = direct && external.onlink.some((prefix) => contains(prefix, address))
    return tunnel === undefined || past ? external.name : tunnel.name
  }
  const out = devicesOut(wanted)
  const health = 'value' in probes.peers ? [...probes.peers.value] : []
  const answers = new Set(health.flatMap(([subnet, { state }]) => (state === 'up' ? [subnet] : [])))
  const faults: Fault[] = []
  for (const [subnet, peer] of peers) {
    if (target !== undefined && target.subnet !== subnet) continue
    const device = out.get(subnet)
    const comesIn = wayIn(peer.publicAddress)
    if (device !== undefined && device !== comesIn && strict(comesIn)) {
      faults.push(fault(comesIn, `what ${subnet} sends comes in by ${comesIn}, answers leave by ${device}`))
      continue
    }
    const route = host.network.asked.get(peer.publicAddress)
    const index = typeof route === 'object' ? route.index : undefined
    const back = host.network.links.find((link) => link.index === index)?.name
    // What is routed may still be asymmetric on purpose: who answers is not dropped.
    if (back !== undefined && back !== external.name && strict(external.name) && !answers.has(subnet)) {
      const proof = `${peer.publicAddress} sends to ${external.publicAddress} on ${external.name}, answers leave by ${back}`
      faults.push(fault(external.name, proof))
    }
  }
  return outcomeOf(firstOf(faults), 'every way in is a way out, or the filter is not strict')
}

function fault(device: string, proof: string): Fault {
  const name = `net.ipv4.conf.${device.replace('.', '/')}.rp_filter`
  return {
    level: 'fault',
    stops: true,
    cause: `the reverse path filter of ${device} drops packets of peers`,
    fix: `sysctl -w ${name}=2 net.ipv4.conf.all.rp_filter=2, and the same in /etc/sysctl.d/`,
    proof: `${name} is 1 (or that of all is): ${proof}`,
  }
}

/** The larger of the device's value and that of all counts. */
function filterOf(sysctls: OwnFacts['host']['sysctls'], device: string): number {
  const of = (name: string): number => Number(sysctls.get(`net/ipv4/conf/${name}/rp_filter`) ?? 0)
  return Math.max(of('all'), of(device))
}

/** The device that reaches each peer. */
function devicesOut(wanted: ExpectedPlan['wanted']): ReadonlyMap<string, string> {
  const devices = new Map<string, string>()
  for (const { object, peer } of wanted) {
    if (peer === undefined) continue
    if (object.kind === 'nexthop') devices.set(peer, object.device)
    if (object.kind === 'route' && object.target.type === 'gateway') devices.set(peer, object.target.device)
  }
  return devices
}

export const bridgeNetfilterCheck: OwnCheck = {
  name: 'br-netfilter',
  about: 'bridge-nf-call-iptables suits the firewall rules',
  ofPeer: false,
  run({ host, firewall, plan }) {
    const name = 'net.bridge.bridge-nf-call-iptables'
    const value = host.sysctls.get('net/bridge/bridge-nf-call-iptables')
    const own = 'value' in plan ? plan.value.own : undefined
    if (own === undefined) return { unchecked: 'this host has no lease' }
    if ('unknown' in firewall.iptables) return { unchecked: firewall.iptables.unknown }
    if (value === '1') return { seen: `${name} = 1` }
    // A published port asked by a container of the same bridge: the answer goes straight to the asker, past the rules
    // that would turn its address back.
    const nat = parseSaved(firewall.iptables.value).get('nat')
    const rule = [...(nat?.chains ?? [])]
      .flatMap(([chain, rules]) => rules.map((text) => `-A ${chain} ${text}`))
      .find((text) => sendsBack(text, (address) => contains(own.subnet, address)))
    if (rule === undefined) return { seen: `${name} = ${value ?? 'not there'}; no rule needs it` }
    return {
      faults: [
        {
          level: 'warning',
          cause: 'containers cannot reach ports that containers of this host publish: bridged answers bypass the rules',
          fix: `modprobe br_netfilter; sysctl -w ${name}=1, and both for the next boot (/etc/modules-load.d/, /etc/sysctl.d/)`,
          proof: `${name} = ${value ?? 'not there'}, and there is: ${rule}`,
        },
      ],
    }
  },
}

/** Whether a rule sends what comes from the containers' own bridge to one of them. */
function sendsBack(rule: string, isOurs: (address: Address) => boolean): boolean {
  if (ruleTarget(rule) !== 'DNAT') return false
  const all = words(rule)
  const to = all[all.indexOf('--to-destination') + 1]?.split(':')[0] ?? ''
  const from = all.indexOf('-i')
  // "! -i docker0" is Docker's own, which has a proxy for these; "-i eth0" does not concern the bridge.
  return from < 0 && isOurs(to as Address)
}
