// The entries that carry packets: device, address, routes, neighbours and forwarding entries, against etcd's leases.
import { removalCommandOf } from '../../kernel/removal.ts'
import { showObject } from '../../kernel/show.ts'
import type { KernelObject, Kind } from '../../kernel/state.ts'
import { type Check, type Fault, type CheckOutcome, firstOf, outcomeOf } from '../finding.ts'
import type { Facts } from '../facts.ts'
import { type MissingObject, differenceOf, repairCommand } from '../kernel-difference.ts'

/** What it means that an object of a kind is missing or different. */
const HARM: Readonly<Record<Kind, (lack: MissingObject) => string>> = {
  link: ({ object, found }) =>
    found === undefined
      ? `the tunnel device ${nameOf(object)} is missing: no packet enters or leaves the tunnel`
      : `the tunnel device ${nameOf(object)} differs (${fieldsThatDiffer(object, found)})`,
  address: ({ object }) =>
    `the tunnel device lacks its address ${showObject(object)}: this host cannot reach containers`,
  'wireguard-peer': ({ peer, found }) => `${word(found)} WireGuard peer for ${peer}: its packets are refused`,
  route: ({ peer, found }) => `${word(found)} route to ${peer ?? 'our own subnet'}: its containers are unreachable`,
  nexthop: ({ peer, found }) => `${word(found)} nexthop of the route to ${peer}: its containers are unreachable`,
  neighbor: ({ peer, found }) => `${word(found)} neighbour entry for ${peer}: the kernel cannot resolve its MAC`,
  policy: ({ object, peer, found }) =>
    `${word(found)} IPsec policy${'direction' in object ? ` (${object.direction})` : ''} for ${peer}: its packets are not encrypted, or lost`,
  fdb: ({ peer, found }) =>
    `${word(found)} forwarding entry for ${peer}: its packets go ${found === undefined ? 'nowhere' : 'to another host'}`,
}

/** How to restore our objects, by the state of the daemon. */
const FIRST = {
  answers: 'the daemon should have restored it: restart it',
  silent: 'restart flanneld',
  absent: 'start flanneld',
} as const

export const KERNEL_CHECKS: readonly Check[] = [
  check('link', 'the tunnel device exists, has its options, and is up', ['link'], false),
  check('address', 'the tunnel device has its address', ['address'], false),
  check('routes', 'every peer has its route', ['nexthop', 'route'], true),
  check('neighbours', 'every peer has its neighbour entry', ['neighbor'], true),
  check('policies', 'every peer reached by IPsec has its policies', ['policy'], true),
  check('wireguard', 'every peer has its WireGuard key, prefixes and endpoint', ['wireguard-peer'], true),
  check('fdb', 'every peer has its forwarding entry', ['fdb'], true),
]

function check(name: string, about: string, kinds: readonly Kind[], ofPeer: boolean): Check {
  return { name, about, ofPeer, settles: true, run: (facts) => compare(facts, kinds, name) }
}

function compare(facts: Facts, kinds: readonly Kind[], name: string): CheckOutcome {
  const { plan, daemon } = facts
  if ('unknown' in plan) return { unchecked: plan.unknown }
  if (plan.value.own === undefined) return { unchecked: 'this host has no lease' }
  const faults: Fault[] = []
  let wanted = 0
  const first = FIRST[daemon.state]
  for (const kind of kinds) {
    const difference = differenceOf(facts, plan.value, kind)
    wanted += difference.wanted
    faults.push(
      ...difference.lacks.map((lack): Fault => ({
        level: 'fault',
        stops: true,
        cause: HARM[kind](lack),
        fix: [first, repairCommand(lack)].filter((part) => part !== undefined).join('; by hand: '),
        proof: `wanted ${showObject(lack.object)}, there is ${lack.found === undefined ? 'none' : showObject(lack.found)}`,
      })),
      ...difference.conflicts.map(({ wanted: ours, found, peer }): Fault => ({
        level: 'fault',
        stops: true,
        cause: `a foreign object is in the place of ${kindName(kind)} for ${peer ?? 'this host'}: packets take the wrong path`,
        fix: `remove it, if nothing needs it: ${removalCommandOf(found)}`,
        proof: `${showObject(found)} in place of ${showObject(ours)}`,
      })),
      ...difference.left.map((left): Fault => ({
        level: 'warning',
        cause: `${kindName(kind)} is left from a host that is gone, or was added by hand`,
        fix: `${first}; by hand: ${removalCommandOf(left)}`,
        proof: showObject(left),
      })),
    )
  }
  const seen = wanted === 0 && name !== 'routes' ? 'none is needed' : `${wanted} as wanted`
  return outcomeOf(firstOf(faults), seen)
}

function word(found: KernelObject | undefined): string {
  return found === undefined ? 'there is no' : 'there is a wrong'
}

function kindName(kind: Kind): string {
  return {
    link: 'a device',
    address: 'an address',
    'wireguard-peer': 'a WireGuard peer',
    fdb: 'a forwarding entry',
    neighbor: 'a neighbour entry',
    nexthop: 'a nexthop',
    policy: 'an IPsec policy',
    route: 'a route',
  }[kind]
}

function nameOf(object: KernelObject): string {
  return object.kind === 'link' ? object.name : ''
}

/** "mtu 1200, should be 1450; down". */
function fieldsThatDiffer(wanted: KernelObject, found: KernelObject): string {
  const there = found as unknown as Readonly<Record<string, unknown>>
  return Object.entries(wanted)
    .filter(([name, value]) => there[name] !== value)
    .map(([name, value]) => (name === 'up' ? 'down' : `${name} ${String(there[name])}, should be ${String(value)}`))
    .join('; ')
}
