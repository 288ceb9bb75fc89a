// What the kernel must have and be set to: modules, the reverse path filter, netfilter on bridges.
import { linksOf } from '../../obstacles/obstacles.ts'
import { type Address, type Family, familyOf, parseAddress } from '../../ip/address.ts'
import { familiesOf, inFamily, mapFamilies, otherFamily, valuesOf } from '../../ip/by-family.ts'
import { type Prefix, contains, prefixFamily } from '../../ip/prefix.ts'
import { type Ruleset, ruleTarget, words } from '../../firewall/iptables/ruleset.ts'
import { type Fault, type CheckOutcome, firstOf, outcomeOf, type OwnCheck, type OwnFacts } from '../finding.ts'
import { isVxlan } from '../../kernel/state.ts'
import type { ExpectedPlan } from '../expected-state.ts'
import { isAbout } from '../target.ts'
import { rulesetsIn, unreadIn } from './foreign-rules.ts'

export const modulesCheck: OwnCheck = {
  name: 'modules',
  about: 'the kernel has VXLAN',
  ofPeer: false,
  run({ host, plan }) {
    const needed = !('value' in plan) || plan.value.wanted.some(({ object }) => isVxlan(object))
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

export const requirementsCheck: OwnCheck = {
  name: 'requirements',
  about: 'this host has what the backend needs: devices, ports, files, programs',
  ofPeer: false,
  run({ host, plan }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    if ('unknown' in host.lacks) return { unchecked: host.lacks.unknown }
    const faults = host.lacks.value.map((lack): Fault => {
      const at = lack.lastIndexOf(': ')
      return { level: 'fault', stops: true, cause: lack.slice(0, at), fix: lack.slice(at + 2), proof: lack }
    })
    return outcomeOf(faults, `all that ${plan.value.configuration.own.backend.type} needs`)
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

/** The kernel has a reverse path filter in one family. */
const FILTERED: Family = 4

/**
 * A strict filter (1) drops what comes in by another device than an answer would leave by (ip-sysctl.rst). The device in
 * follows from our lease, the device out from the peer's: with two backends in use they differ.
 */
function reversePathOutcome(
  { host, target, probes }: OwnFacts,
  { wanted, configuration, inputs, peers }: ExpectedPlan,
): CheckOutcome {
  if (inputs === undefined) return { unchecked: 'this host has no lease' }
  const external = inFamily(inputs.externals, FILTERED)
  if (external === undefined) return { seen: `the kernel has no such filter for IPv${otherFamily(FILTERED)}` }
  const strict = (device: string): boolean => filterOf(host.sysctls, device) === 1
  const { own } = configuration
  const tunnel = linksOf(configuration, inputs.externals, inputs.hostId).find(
    ({ local }) => familyOf(local) === FILTERED,
  )
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
    if (prefixFamily(subnet) !== FILTERED || !isAbout(target, subnet)) continue
    const device = out.get(subnet)
    const comesIn = wayIn(peer.publicAddress)
    if (device !== undefined && device !== comesIn && strict(comesIn)) {
      faults.push(fault(comesIn, `what ${subnet} sends comes in by ${comesIn}, answers leave by ${device}`))
      continue
    }
    const back = wayBack(host.network, peer.publicAddress)
    // What is routed may still be asymmetric on purpose: who answers is not dropped.
    if (back !== undefined && back !== external.name && strict(external.name) && !answers.has(subnet)) {
      const proof = `${peer.publicAddress} sends to ${external.publicAddress} on ${external.name}, answers leave by ${back}`
      faults.push(fault(external.name, proof))
    }
  }
  return outcomeOf(firstOf(faults), 'every way in is a way out, or the filter is not strict')
}

/** The device by which the kernel sends to an address, where it was asked. */
function wayBack({ asked, links }: OwnFacts['host']['network'], address: Address): string | undefined {
  const route = asked.get(address)
  return typeof route === 'object' ? links.find(({ index }) => index === route.index)?.name : undefined
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

/** The value that sends bridged packets of each family through the rules. */
const CALLS: Readonly<Record<Family, string>> = {
  4: 'net/bridge/bridge-nf-call-iptables',
  6: 'net/bridge/bridge-nf-call-ip6tables',
}

export const bridgeNetfilterCheck: OwnCheck = {
  name: 'br-netfilter',
  about: 'bridge-nf-call-iptables suits the firewall rules',
  ofPeer: false,
  run({ host, firewall, plan }) {
    const own = 'value' in plan ? plan.value.own : undefined
    if (own === undefined) return { unchecked: 'this host has no lease' }
    const unread = unreadIn(firewall, familiesOf(own.subnets))
    if (unread !== undefined) return { unchecked: unread }
    const rulesets = rulesetsIn(firewall)
    const found = valuesOf(
      mapFamilies(own.subnets, (subnet, family) => bridged(host.sysctls, rulesets[family], subnet, family)),
    )
    const faults = found.flatMap((one) => (typeof one === 'string' ? [] : [one]))
    return outcomeOf(faults, found.filter((one) => typeof one === 'string').join('; '))
  },
}

/** What is wrong in one family, or what was seen. */
function bridged(sysctls: OwnFacts['host']['sysctls'], ruleset: Ruleset, own: Prefix, family: Family): Fault | string {
  const name = CALLS[family].replaceAll('/', '.')
  const value = sysctls.get(CALLS[family])
  if (value === '1') return `${name} = 1`
  // A published port asked by a container of the same bridge: the answer goes straight to the asker, past the rules
  // that would turn its address back.
  const nat = ruleset.get('nat')
  const rule = [...(nat?.chains ?? [])]
    .flatMap(([chain, rules]) => rules.map((text) => `-A ${chain} ${text}`))
    .find((text) => sendsBack(text, (address) => contains(own, address)))
  if (rule === undefined) return `${name} = ${value ?? 'not there'}; no rule needs it`
  return {
    level: 'warning',
    cause: 'containers cannot reach ports that containers of this host publish: bridged answers bypass the rules',
    fix: `modprobe br_netfilter; sysctl -w ${name}=1, and both for the next boot (/etc/modules-load.d/, /etc/sysctl.d/)`,
    proof: `${name} = ${value ?? 'not there'}, and there is: ${rule}`,
  }
}

/** Whether a rule sends what comes from the containers' own bridge to one of them. */
function sendsBack(rule: string, isOurs: (address: Address) => boolean): boolean {
  if (ruleTarget(rule) !== 'DNAT') return false
  const all = words(rule)
  const given = all[all.indexOf('--to-destination') + 1] ?? ''
  // "10.2.3.4:80" or "[fd00::4]:80".
  const to = parseAddress(/^\[(.*)\]/.exec(given)?.[1] ?? given.split(':')[0] ?? '') ?? parseAddress(given)
  const from = all.indexOf('-i')
  // "! -i docker0" is Docker's own, which has a proxy for these; "-i eth0" does not concern the bridge.
  return from < 0 && to !== undefined && isOurs(to)
}
