// What the daemon has prepared (Backend.prepares), as far as it shows outside of it: the key of our WireGuard devices. Pure.
import type { Configured } from '../backend.ts'
import { inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import type { KernelState, Kind } from '../kernel/state.ts'
import type { LeaseValue } from '../lease/lease.ts'
import type { Configuration } from '../network-config/configuration.ts'
import type { PlanInputs } from '../overlay/inputs.ts'

/** What there is to see. */
export interface PreparedParts {
  readonly value: LeaseValue
  readonly configuration: Configuration
  readonly externals: PlanInputs['externals']
  /** Backends that peers' leases name, without our own. */
  readonly others: readonly Configured[]
  readonly kernel: ReadonlyMap<Kind, KernelState>
}

/**
 * The results by name. Where our own lease shows no key, that of a device: after a change of the config a daemon goes on with it while peers
 * send to it. A daemon that starts then has none, and no device.
 */
export function preparedBy(parts: PreparedParts): ReadonlyMap<string, string> {
  const { configuration, others, kernel } = parts
  const [published] = publishedKeys(parts)
  const ofOwn = keyNames(configuration.own, parts)
  if (ofOwn.length > 0) return named(ofOwn, published)
  const found = [...(kernel.get('link')?.values() ?? [])].flatMap((link) =>
    link.kind === 'link' && link.type === 'wireguard' && link.publicKey !== '' ? [link.publicKey] : [],
  )
  return named(
    others.flatMap((other) => keyNames(other, parts)),
    found[0],
  )
}

function publishedKeys({ value, configuration, externals }: PreparedParts): readonly string[] {
  const { backend, config } = configuration.own
  const sessions = mapFamilies(externals, ({ publicAddress }, family) => {
    const parsed = backend.parsePeerData(inFamily(value.backendData, family), config)
    return parsed.ok ? backend.sessionOf?.({ publicAddress, data: parsed.value }) : undefined
  })
  return valuesOf(sessions).flatMap((session) => (session.type === 'wireguard' ? [session.publicKey] : []))
}

/** What a backend calls its key. */
function keyNames({ backend, config }: Configured, { configuration, externals }: PreparedParts): readonly string[] {
  const wanted = mapFamilies(configuration.ranges, ({ network }, family) => {
    const external = inFamily(externals, family)
    return external === undefined ? [] : (backend.prepares?.(config, network, external) ?? [])
  })
  return valuesOf(wanted)
    .flat()
    .flatMap(({ type, name }) => (type === 'wireguard-key' ? [name] : []))
}

function named(names: readonly string[], key: string | undefined): ReadonlyMap<string, string> {
  return new Map(key === undefined ? [] : names.map((name) => [name, key] as const))
}
