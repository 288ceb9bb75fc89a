// Compares the kernel with the plan: missing or different objects, conflicts, leftovers. Pure.
import { KindComparison, type ObjectConflict } from '../kernel/diff.ts'
import { showObject } from '../kernel/show.ts'
import { type KernelObject, type KernelState, type Kind, type Link, sameObject, keyOf } from '../kernel/state.ts'
import type { Prefix } from '../ip/prefix.ts'
import { domainOf } from '../reconcile/intent.ts'
import type { Facts } from './facts.ts'
import { isAbout } from './target.ts'
import type { ExpectedPlan, Wanted } from './expected-state.ts'

/** An object that is missing or different. */
export interface MissingObject extends Wanted {
  /** What is there instead. */
  readonly found: KernelObject | undefined
}

/** One kind compared. */
export interface KindDifference {
  /** How many there should be. */
  readonly wanted: number
  readonly lacks: readonly MissingObject[]
  readonly conflicts: readonly (ObjectConflict & { readonly peer: Prefix | undefined })[]
  /** Ours by their marks, and not wanted. */
  readonly left: readonly KernelObject[]
}

/** Compares one kind, only for the peer in question when there is one. */
export function differenceOf({ host, target }: Facts, plan: ExpectedPlan, kind: Kind): KindDifference {
  const actual: KernelState = host.kernel.get(kind) ?? new Map()
  const { intent } = plan
  if (intent === undefined) return { wanted: 0, lacks: [], conflicts: [], left: [] }
  const mine = plan.wanted.filter(({ object }) => object.kind === kind)
  const peers = new Map(mine.map(({ object, peer }) => [keyOf(object), peer]))
  const concerns = ({ peer }: { peer: Prefix | undefined }): boolean =>
    peer === undefined ? target === undefined : isAbout(target, peer)
  // Its owner is unknown: what differs and is not ours is a conflict.
  const comparison = new KindComparison(new Map(actual), domainOf(intent), () => false)
  const lacks: MissingObject[] = []
  for (const { object, peer } of mine) {
    if (comparison.want(object) !== undefined) lacks.push({ object, peer, found: actual.get(keyOf(object)) })
  }
  const left = comparison.rest().map(({ object }) => object)
  return {
    wanted: mine.filter(concerns).length,
    lacks: lacks.filter(concerns),
    conflicts: comparison.conflicts
      .map((conflict) => ({ ...conflict, peer: peers.get(conflict.key) }))
      .filter(concerns),
    left: target === undefined ? left : [],
  }
}

/** The command that makes an object as wanted, in iproute2's words; undefined where the daemon has to make it. */
export function repairCommand({ object, found }: MissingObject): string | undefined {
  switch (object.kind) {
    case 'link':
      return linkCommand(object, found)
    case 'address':
      return `ip addr add ${showObject(object)}`
    case 'wireguard-peer':
      // Its pre-shared key is not for a command line.
      return object.presharedKey === undefined ? `wg set ${showObject(object)}` : undefined
    case 'neighbor':
      return `ip neigh replace ${object.address} lladdr ${object.mac} dev ${object.device} nud permanent`
    case 'fdb':
      return `bridge fdb replace ${showObject(object)}`
    case 'nexthop':
      return `ip nexthop replace ${showObject(object)}`
    case 'policy':
      return `ip xfrm policy update ${showObject(object)}`
    case 'route':
      return `ip route replace ${showObject(object)}`
  }
}

function linkCommand(wanted: Link, found: KernelObject | undefined): string | undefined {
  const { name, mtu, up } = wanted
  const mac = 'mac' in wanted ? { mac: wanted.mac } : {}
  // Its other attributes cannot be changed, or not in one command.
  if (found?.kind !== 'link' || !sameObject(wanted, { ...found, mtu, up, ...mac })) return undefined
  // The kernel forgets the neighbours of a device that gets a MAC, be it the one it has.
  const other = 'mac' in wanted && !('mac' in found && found.mac === wanted.mac)
  return `ip link set ${name} mtu ${mtu}${other ? ` address ${wanted.mac}` : ''} up`
}
