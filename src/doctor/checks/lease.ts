// Leases: our own, those that are refused, and hosts that claim one address.
import { span } from '../../text/duration.ts'
import { refusalLevel } from '../../lease/refusal-level.ts'
import { leaseValueOf } from '../../overlay/plan.ts'
import { counted } from '../../text/counted.ts'
import { type Check, type Fault, type CheckOutcome, firstOf, outcomeOf } from '../finding.ts'
import type { Facts } from '../facts.ts'
import { decodedLeases } from '../leases.ts'
import type { OwnStored } from '../expected-state.ts'
import { FAMILIES, NEITHER, valuesOf } from '../../ip/by-family.ts'
import type { Peer } from '../../backend.ts'
import { decodeKey, encodeValue } from '../../lease/codec.ts'
import type { Subnets } from '../../lease/lease.ts'
import { hostCount } from '../../view/hosts.ts'
import { valueIn } from '../known.ts'
import { isAbout } from '../target.ts'
import type { Prefix } from '../../ip/prefix.ts'

/** A daemon renews every 10 s; one that did not for this long does not reach etcd. Seconds. */
const UNRENEWED_S = 120

export const leaseCheck: Check = {
  name: 'lease',
  about: 'this host has a lease, which is renewed and matches this host',
  ofPeer: false,
  settles: true,
  run: (facts) => leaseOutcome(facts),
}

function noLease({ options, host }: Pick<Facts, 'options' | 'host'>, running: Subnets | undefined): Fault {
  const before = valueIn(host.subnetEnv)?.subnets
  const fix = 'systemctl restart flanneld, which leases one; then restart dockerd if the subnet changed'
  const proof = `no key under ${options.etcdPrefix}/subnets/ is of host id ${host.hostId}`
  const had = valuesOf(running ?? before ?? NEITHER).join(' and ')
  const cause = `this host has no lease${had === '' ? '' : `, but uses ${had}`}: no peer sends it anything`
  return { level: 'fault', stops: true, cause, fix, proof }
}

function leaseOutcome({ store, plan, daemon, options, host }: Facts): CheckOutcome {
  if (store.content === undefined) return { unchecked: `etcd: ${store.error ?? 'no answer'}` }
  if ('unknown' in plan) return { unchecked: plan.unknown }
  const { own, inputs } = plan.value
  const running = daemon.state === 'answers' ? daemon.facts.running?.own.subnets : undefined
  if (own === undefined || inputs === undefined) return { faults: [noLease({ options, host }, running)] }
  const { ownTtl } = store.content
  const faults = [
    ...otherSubnet(own, running),
    ...renewalFaults(own, ownTtl, daemon.state === 'answers'),
    ...otherValue(own, encodeValue(leaseValueOf(inputs))),
  ]
  const left = ownTtl === undefined ? 'a reservation' : `${span(ownTtl.remaining)} left`
  return outcomeOf(faults, `${valuesOf(own.subnets).join(' and ')}, ${left}`)
}

function otherSubnet({ subnets, key }: OwnStored, running: Subnets | undefined): readonly Fault[] {
  if (running === undefined) return []
  const [uses, leased] = [valuesOf(running).join(' and '), valuesOf(subnets).join(' and ')]
  if (uses === leased) return []
  const cause = `the daemon uses ${uses}, but this host's lease is ${leased}`
  return [{ level: 'fault', stops: true, cause, fix: 'systemctl restart flanneld', proof: key }]
}

function otherValue({ value }: OwnStored, wanted: string): readonly Fault[] {
  const stored = encodeValue(value)
  if (stored === wanted) return []
  return [
    {
      level: 'fault',
      stops: true,
      cause: 'our lease does not match this host: packets of peers do not arrive',
      fix: 'systemctl restart flanneld, which publishes it again',
      proof: `lease ${stored}, this host ${wanted}`,
    },
  ]
}

function renewalFaults(
  own: OwnStored,
  ttl: { readonly remaining: number; readonly granted: number } | undefined,
  runs: boolean,
): readonly Fault[] {
  // Without a TTL it is a reservation, or went while we looked.
  if (own.etcdLease === '0' || ttl === undefined || !runs) return []
  const fix = 'systemctl restart flanneld; if that does not help, see the findings on etcd'
  const since = ttl.granted - ttl.remaining
  if (since < UNRENEWED_S) return []
  const cause = `our lease is not renewed: it ends in ${span(ttl.remaining)}, and peers drop this host then`
  return [
    {
      level: 'fault',
      stops: true,
      code: 'lease-not-renewed',
      cause,
      fix,
      proof: `last renewed ${span(since)} ago; expected every 10 s`,
    },
  ]
}

export const peerLeasesCheck: Check = {
  name: 'peer-leases',
  about: "the peers' leases are accepted; the named peer has one",
  ofPeer: true,
  run({ plan, target, store, options }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    if (store.content === undefined) return { unchecked: `etcd: ${store.error ?? 'no answer'}` }
    const { refused, peers } = plan.value
    if (target?.subnets.length === 0) {
      const fix = 'start flanneld on the host that should have it; flanneld peers lists those there are'
      const proof = `none of the other ${counted(peers.size + refused.size, 'lease')} has ${target.text}`
      return { faults: [{ level: 'fault', stops: true, cause: `no host has leased ${target.text}`, fix, proof }] }
    }
    const about = [...refused].filter(
      // The lease we leave when we move to another subnet is about to expire.
      ([key, reason]) => reason !== 'our-move' && names(options.etcdPrefix, key, target),
    )
    const texts = new Map(store.content.leases.map(({ key, text }) => [key, text]))
    const faults = about.map(([key, reason]): Fault => ({
      ...(target === undefined ? { level: refusalLevel(reason) } : { level: 'fault', stops: true }),
      code: refusalLevel(reason) === 'fault' ? 'lease-refused' : 'leases-refused',
      cause: `a lease is refused (${reason}): nothing is sent to its host`,
      fix: `correct flanneld on that host or, if it is gone: etcdctl del '${key}'`,
      proof: `${key} ${texts.get(key)?.slice(0, 200) ?? ''}`,
    }))
    return outcomeOf(firstOf(faults), leased(peers, target))
  },
}

function leased(peers: ReadonlyMap<Prefix, Peer>, target: Facts['target']): string {
  return target === undefined ? counted(hostCount(peers), 'peer') : `${target.subnets.join(' and ')} is leased`
}

/** Whether a lease's key names a subnet of the host in question. */
function names(prefix: string, key: string, target: Facts['target']): boolean {
  if (target === undefined) return true
  const named = decodeKey(prefix, key)
  return named.ok && valuesOf(named.value).some((subnet) => isAbout(target, subnet))
}

export const duplicateAddressCheck: Check = {
  name: 'duplicate-ip',
  about: 'no two hosts publish the same address',
  ofPeer: true,
  run({ store, plan, target, options, host }) {
    if (store.content === undefined) return { unchecked: `etcd: ${store.error ?? 'no answer'}` }
    const own = 'value' in plan ? plan.value.own : undefined
    const ownAddresses = FAMILIES.flatMap((family) => valueIn(host.externals[family])?.publicAddress ?? [])
    const isOwn = (address: string): boolean => ownAddresses.some((own) => own === address)
    const byAddress = new Map<string, { subnets: readonly Prefix[]; key: string }[]>()
    const stranger = new Set<string>()
    for (const { subnets, key, value } of decodedLeases(options.etcdPrefix, store.content)) {
      for (const address of valuesOf(value.addresses))
        byAddress.set(address, [...(byAddress.get(address) ?? []), { subnets: valuesOf(subnets), key }])
      // Without a lease of our own it is the other that keeps us from having one.
      if (value.hostId !== undefined && value.hostId !== host.hostId) stranger.add(key)
    }
    const isShared = (address: string, leases: readonly { key: string }[]): boolean =>
      leases.length > 1 || (isOwn(address) && leases.some(({ key }) => stranger.has(key)))
    const shared = [...byAddress].filter(
      ([address, leases]) =>
        isShared(address, leases) && leases.some(({ subnets }) => subnets.some((subnet) => isAbout(target, subnet))),
    )
    const faults = shared.map(([address, leases]): Fault => {
      const others = leases.filter(({ key }) => key !== own?.key)
      return {
        ...(isOwn(address) ? { level: 'fault', stops: true } : { level: 'warning' }),
        cause:
          leases.length > 1
            ? twice(leases.length, address)
            : `another host publishes our address ${address}: two hosts with the same -public-ip, and only one can have a lease`,
        fix: `give each host its own -public-ip; if no host has it any more: etcdctl del '${others.at(-1)?.key ?? ''}'`,
        proof: leases.map(({ subnets }) => subnets.join(' and ')).join(', '),
      }
    })
    return outcomeOf(firstOf(faults), `${byAddress.size} of them`)
  },
}

/** Addresses that several believed peers publish. */
export function sharedByPeers(peers: Iterable<{ subnet: string; publicAddress: string }>): readonly Fault[] {
  const first = new Map<string, string>()
  const shared = new Map<string, string[]>()
  for (const { subnet, publicAddress } of peers) {
    const other = first.get(publicAddress)
    if (other === undefined) first.set(publicAddress, subnet)
    else shared.set(publicAddress, [...(shared.get(publicAddress) ?? [other]), subnet])
  }
  const faults = Array.from(shared, ([address, subnets]): Fault => ({
    level: 'warning',
    cause: twice(subnets.length, address),
    fix: 'give each host its own -public-ip',
    proof: subnets.join(', '),
  }))
  return firstOf(faults)
}

function twice(leases: number, address: string): string {
  return `${leases} subnets are leased to ${address}: two hosts with the same address, or a lease left behind by its host`
}
