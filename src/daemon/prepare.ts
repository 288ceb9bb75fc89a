// What has to be made before the lease is written, because the lease or the plan contains it (Backend.prepares).
import type { Preparation } from '../backend.ts'
import { inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { publicKeyIn, wireguardKeyFile } from '../host/wireguard-key.ts'
import { equal } from '../equal.ts'
import { OperatorError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Session } from '../overlay/session.ts'
import { runCommand } from '../helpers/commands/run-command.ts'
import type { Host } from '../host/host-id.ts'

/** The results by name. Rejects with OperatorError when one cannot be made. */
export async function prepare(
  { own, ranges }: Configuration,
  externals: Host['externals'],
  known: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, string>> {
  const wanted = mapFamilies(ranges, ({ network }, family) => {
    const external = inFamily(externals, family)
    return external === undefined ? [] : (own.backend.prepares?.(own.config, network, external) ?? [])
  })
  const results = new Map<string, string>()
  for (const preparation of valuesOf(wanted).flat()) {
    if (results.has(preparation.name)) continue
    // A command is run once: it may make something.
    const before = preparation.type === 'command' ? known.get(preparation.name) : undefined
    results.set(preparation.name, before ?? (await make(preparation)))
  }
  return results
}

/** What was prepared is looked at again: a WireGuard key file, say, was replaced. Never rejects. */
export async function prepareAgain(session: Pick<Session, 'inputs' | 'update'>, log: Log): Promise<void> {
  const { configuration, externals, prepared: before } = session.inputs
  try {
    const prepared = new Map([...before, ...(await prepare(configuration, externals, before))])
    if (equal(before, prepared)) return
    log.info('what our lease is made of has changed: publishing it')
    await session.update({ prepared })
  } catch (error) {
    log.error(messageOf(error))
  }
}

async function make(preparation: Preparation): Promise<string> {
  if (preparation.type === 'wireguard-key') return publicKeyIn(wireguardKeyFile())
  const { key, command } = preparation
  return runCommand(key, command, { environment: {}, input: '' }).catch((error: unknown) => {
    throw new OperatorError(`${messageOf(error)}: correct the command, or what it needs`)
  })
}
