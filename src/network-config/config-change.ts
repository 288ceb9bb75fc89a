// What another network config means for the hosts that run: each key that changes with what follows, and the leases whose
// hosts would not follow. Pure. Invariant: judged by the parser and the refusals of the daemon itself.
import { type Configuration, refusesChange, primaryRange } from './configuration.ts'
import { fits } from '../lease/allocate.ts'
import type { ListedLease } from '../lease/found.ts'
import { effectOf } from './keys.ts'
import { RANGE_KEYS } from './range.ts'
import { primarySubnet, primaryAddress } from '../lease/lease.ts'
import { anyFamily, inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'

/** A key that changes. Texts as JSON has them; null: absent, so that a default holds or nothing does. */
interface KeyChange {
  /** Its path, as in `Backend.VNI`. */
  readonly key: string
  readonly before: string | null
  readonly after: string | null
  /** What follows on the hosts, for people. */
  readonly effect: string
}

/** Whose subnet is another after the next start of its daemon. */
interface MovingLease {
  readonly subnet: string
  readonly publicAddress: string
}

/** What changes. */
export interface ConfigChange {
  readonly changes: readonly KeyChange[]
  /** How many leases there are. */
  readonly leases: number
  /** Subnets whose hosts keep the config they have, because they do not fit in this one. */
  readonly stranded: readonly string[]
  /** Leases outside the subnets of the new config: their hosts keep them while they run, and lease others at their next start. */
  readonly moving: readonly MovingLease[]
  /** Why it should not be written without -force; null when no host loses its network. */
  readonly refusal: string | null
  /** Further notes, one line each. */
  readonly notes: readonly string[]
}

/** The effect of a key that declares none. */
export const LIVE = 'hosts follow without losing a packet'

/** Compares. No `before`: the key is absent, or what it says is not valid. */
export function configChange(
  before: Configuration | undefined,
  after: Configuration,
  found: readonly ListedLease[],
): ConfigChange {
  const changes = [...rangeChanges(before, after), ...backendChanges(before, after)]
  if (before?.network.enableNFTables !== after.network.enableNFTables) {
    const text = (on: boolean | undefined): string | null => (on === undefined ? null : JSON.stringify(on))
    const effect = effectOf('EnableNFTables')
    changes.push(
      changed('EnableNFTables', text(before?.network.enableNFTables), text(after.network.enableNFTables), effect),
    )
  }
  const leases = found.filter(({ value }) => value !== undefined)
  const stranded = before === undefined ? [] : leases.filter((lease) => strands(before, after, lease))
  const [first] = stranded
  const why = first === undefined || before === undefined ? undefined : refusesChange(before, after, first.subnets)
  return {
    changes: changes.filter(({ before: old, after: next }) => old !== next),
    leases: leases.length,
    stranded: stranded.map(primarySubnet),
    moving: leases
      .filter(({ subnets }) => anyFamily(after.ranges, subnets, (range, subnet) => !fits(range, subnet)))
      .map((lease) => ({
        subnet: primarySubnet(lease),
        publicAddress: lease.value === undefined ? '' : primaryAddress(lease.value),
      })),
    refusal: why === undefined ? null : refusalOf(after, stranded, leases.length),
    notes: notesOf(after, leases),
  }
}

function rangeChanges(before: Configuration | undefined, after: Configuration): KeyChange[] {
  const changes = mapFamilies(after.ranges, (next, family) => {
    const now = before && inFamily(before.ranges, family)
    const keys = RANGE_KEYS[family]
    return [
      changed(keys.network, now?.network, next.network, effectOf(keys.network)),
      changed(keys.subnetLen, now?.subnetLen.toString(), next.subnetLen.toString(), effectOf(keys.subnetLen)),
      changed(keys.subnetMin, now?.subnetMin, next.subnetMin, effectOf(keys.subnetMin)),
      changed(keys.subnetMax, now?.subnetMax, next.subnetMax, effectOf(keys.subnetMax)),
    ]
  })
  return valuesOf(changes).flat()
}

function backendChanges(before: Configuration | undefined, after: Configuration): readonly KeyChange[] {
  const type = after.own.backend.type
  if (before?.own.backend.type !== type) {
    return [changed('Backend.Type', before?.own.backend.type, type, effectOfType(before?.own.backend.type, type))]
  }
  const [now, next] = [settingsOf(before), settingsOf(after)]
  return Object.entries(after.own.backend.configKeys).map(([key, { change = LIVE }]) =>
    changed(`Backend.${key}`, now.get(key), next.get(key), change),
  )
}

function effectOfType(before: string | undefined, after: string): string {
  if (after === 'alloc') return 'hosts stop forwarding between containers: something else has to'
  if (before === 'alloc') return 'hosts begin to forward between containers'
  if (after === 'host-gw') return `${LIVE}; hosts on another LAN are not reached any more`
  return LIVE
}

/** A backend's settings by key, defaults included, as JSON. */
function settingsOf({ own: { backend, config } }: Configuration): ReadonlyMap<string, string> {
  const settings = new Map(
    Object.entries(config ?? {}).map(([name, value]) => [name.toLowerCase(), JSON.stringify(value)]),
  )
  return new Map(
    Object.keys(backend.configKeys).flatMap((key) => {
      const value = settings.get(key.toLowerCase())
      return value === undefined ? [] : [[key, value]]
    }),
  )
}

/** Whether a host that runs cannot follow; one that could not follow before either is no loss. */
function strands(before: Configuration, after: Configuration, lease: ListedLease): boolean {
  const { subnets } = lease
  return refusesChange(before, after, subnets) !== undefined && refusesChange(before, before, subnets) === undefined
}

function refusalOf(after: Configuration, stranded: readonly ListedLease[], leases: number): string {
  const range = primaryRange(after)
  const [first, ...more] = stranded.map(primarySubnet)
  const some = more.length === 0 ? (first ?? '') : `${first ?? ''} and ${more.length} more`
  const place = `${range.network} in subnets of /${range.subnetLen}`
  return `${place} has no place for ${some}: ${stranded.length} of ${leases} leases: their hosts would go on with what they have; write it all the same with -force`
}

function notesOf({ own }: Configuration, leases: readonly ListedLease[]): readonly string[] {
  const notes: string[] = []
  const go = leases.filter(({ value }) => value?.hostId === undefined && value?.backendType !== '').length
  if (go > 0) notes.push(`${go} of ${leases.length} hosts run Go's flanneld, which reads the config at its start alone`)
  if (own.backend.type === 'host-gw')
    notes.push("host-gw needs all hosts on one LAN, and no -public-ip but the interface's own")
  return notes
}

function changed(
  key: string,
  before: string | null | undefined,
  after: string | null | undefined,
  effect: string,
): KeyChange {
  return { key, before: before ?? null, after: after ?? null, effect }
}
