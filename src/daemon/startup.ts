// Everything the daemon learns before it touches the machine: what this host is, what the network wants, which subnet is
// ours. Invariant: nothing here changes the kernel, a file or the firewall; what can come later is waited for.
import type { AnyBackend, ExternalInterface } from '../backend.ts'
import { requireNetAdmin } from '../host/capabilities.ts'
import type { Conditions } from '../health/conditions.ts'
import type { ReasonCode } from '../health/readiness.ts'
import { reportRemarks } from '../network-config/remarks.ts'
import { configElsewhere } from '../network-config/elsewhere.ts'
import { type Configuration, readConfiguration } from '../network-config/configuration.ts'
import { EtcdError, KernelError, OperatorError, messageOf } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { Backoff, pause } from '../async/wait.ts'
import { chooseExternalInterface } from '../host/external-interface.ts'
import { type HostNetwork, questionsOf } from '../kernel/host-network.ts'
import { type Host, hostId, readMachineId } from '../host/host-id.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { ERRNO } from '../netlink/errno.ts'
import { leasedInterface } from '../host/leased-interface.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import { externalsFor, wantedOf } from '../host/wanted-interfaces.ts'
import {
  type ByFamily,
  NEITHER,
  byFamily,
  familiesOf,
  first,
  inFamily,
  mapFamilies,
  orElse,
  some,
  valuesOf,
} from '../ip/by-family.ts'

/** The log says within 2 s what the daemon waits for; a call may take longer. Milliseconds. */
const SILENCE_MS = 1500
/** How often a config that this host cannot run is checked again although it did not change. Milliseconds. */
const CONFIG_RETRY_MS = 3000

/** What the kernel answers when it is busy, or short of something: another time it answers otherwise. */
const PASSING = new Set([ERRNO.EAGAIN, ERRNO.EBUSY, ERRNO.EINTR, ERRNO.ENOBUFS, ERRNO.ENOMEM, ERRNO.ETIMEDOUT])

/**
 * What `read` finds out from the kernel, however long that takes: a start on a busy host waits instead of ending. Rejects with
 * what is not passing, and with anything once the signal aborted.
 */
export async function patiently<T>(read: () => Promise<T>, log: Log, signal: AbortSignal): Promise<T> {
  const backoff = new Backoff(100, 5000)
  for (let logged = false; ; logged = true) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof KernelError) || !PASSING.has(error.errno) || signal.aborted) throw error
      if (!logged) log.warn(`${error.message}; trying again`)
      await pause(backoff.next(), signal)
    }
  }
}

/** Reads the host and chooses its interface. Rejects with OperatorError. */
export async function findHost(kernel: LiveKernel, options: Options, log: Log): Promise<Host> {
  await requireNetAdmin()
  const network = await kernel.readHost(questionsOf(options))
  const externals = chooseInterfaces(network, options)
  log.info(lineOf(first(externals)))
  // One id for all families: that of the interface of the first.
  const { mac, address } = first(externals)
  return { externals, homes: NEITHER, hostId: hostId(await readMachineId(), mac, address) }
}

/** The interface of each family that has one. Throws OperatorError when none has: with what is wrong for the first. */
function chooseInterfaces(network: HostNetwork, options: Options): Host['externals'] {
  const chosen = byFamily((family) => chooseExternalInterface(network, options, family))
  const refusal = valuesOf(chosen).find((one) => one instanceof OperatorError)
  const externals = some(mapFamilies(chosen, (one) => (one instanceof OperatorError ? undefined : one)))
  if (externals === undefined) throw refusal ?? new OperatorError('interface: none found')
  return externals
}

/**
 * The host with an interface for each family of a config, read again where one is missing; or why there is none, as one line.
 */
export async function hostFor(
  { ranges }: Pick<Configuration, 'ranges'>,
  host: Host,
  kernel: LiveKernel,
  options: Options,
): Promise<Host | string> {
  if (familiesOf(ranges).every((family) => inFamily(host.externals, family) !== undefined)) return host
  const network = await kernel.readHost(questionsOf(options))
  const found = externalsFor({ ranges }, host.externals, (family) => chooseExternalInterface(network, options, family))
  return typeof found === 'string' ? found : { ...host, externals: orElse(found, host.externals) }
}

/** The host with the interface and the identity that its own lease names, where there is one. Waits for etcd. */
export async function findLeasedHost(
  host: Host,
  parts: Pick<ConfigurationParts, 'store' | 'options' | 'log' | 'signal'> & { readonly kernel: LiveKernel },
  previous: ByFamily<Prefix>,
): Promise<Host> {
  const { store, kernel, options, log, signal } = parts
  const leased = await leasedInterface({
    store,
    etcdPrefix: options.etcdPrefix,
    network: await kernel.readHost(questionsOf(options)),
    wish: options,
    machineId: await readMachineId(),
    previous,
    signal,
  })
  if (leased === undefined) return host
  for (const external of valuesOf(leased.externals))
    if (external.address !== inFamily(host.externals, external.family)?.address)
      log.info(`${lineOf(external)}: that is where our lease says we are`)
  const found = some(leased.externals)
  const externals = found === undefined ? host.externals : orElse(found, host.externals)
  return { externals, homes: leased.homes, hostId: leased.hostId }
}

/** Logs the interfaces of a config's families, but for the one that findHost logged. */
export function reportInterfaces({ ranges }: Pick<Configuration, 'ranges'>, { externals }: Host, log: Log): void {
  for (const external of valuesOf(wantedOf({ ranges }, externals)))
    if (external !== first(externals)) log.info(lineOf(external))
}

/** An interface as a line of the log. */
export function lineOf({ name, address, publicAddress, mtu }: ExternalInterface): string {
  return `interface ${name}: ${address}, mtu ${mtu}${publicAddress === address ? '' : `, reached by ${publicAddress}`}`
}

/** What awaitConfiguration works with. */
export interface ConfigurationParts {
  readonly store: Store
  readonly options: Options
  readonly backends: readonly AnyBackend[]
  /** Why this host cannot run a config; undefined when it can. */
  readonly obstacleTo: (configuration: Configuration) => Promise<string | undefined>
  readonly conditions: Conditions
  /** Resolves when another daemon that was in the way may be gone, or the signal aborts. */
  readonly freed: (signal: AbortSignal) => Promise<void>
  /** Called with what is waited for. */
  readonly onWaiting: (code: ReasonCode, text: string) => void
  readonly log: Log
  readonly signal: AbortSignal
}

/** There is no config in etcd. */
class NoConfig extends OperatorError {}

function waitCode(error: unknown): ReasonCode {
  if (error instanceof EtcdError) return 'etcd-unreachable'
  return error instanceof NoConfig ? 'no-config' : 'config-refused'
}

/** Waits for a network config that this host can run. Ends with undefined when the signal aborts. */
export async function awaitConfiguration(parts: ConfigurationParts): Promise<Configuration | undefined> {
  const { store, options, log, signal } = parts
  const key = `${options.etcdPrefix}/config`
  const backoff = new Backoff(500, 5000)
  let logged = ''
  const say = (code: ReasonCode, text: string): void => {
    if (signal.aborted) return
    parts.onWaiting(code, text)
    if (text !== logged) log.error(`${text}; waiting`)
    logged = text
  }
  while (!signal.aborted) {
    const silence = setTimeout(() => {
      say('etcd-unreachable', `etcd: ${options.etcdEndpoints.join(',')}: no answer`)
    }, SILENCE_MS)
    let read: string | undefined
    try {
      const { entry } = await store.get(key)
      read = entry?.modRevision ?? '0'
      if (entry === undefined) throw new NoConfig(missing(key, await configElsewhere(store, options.etcdPrefix)))
      const configuration = readConfiguration(entry.value.toString(), parts.backends)
      const obstacle = await parts.obstacleTo(configuration)
      if (obstacle !== undefined) throw new OperatorError(obstacle)
      reportRemarks(configuration, log, parts.conditions)
      return configuration
    } catch (error) {
      say(waitCode(error), messageOf(error))
    } finally {
      clearTimeout(silence)
    }
    if (read === undefined) await pause(backoff.next(), signal)
    else await untilWritten(key, read, parts)
  }
  return undefined
}

/**
 * Waits until a key has another revision than `seen` ("0": absent), for some time at most: the host may be what changes. No
 * longer than it takes a daemon that is being stopped to end: an upgrade waits for nothing else.
 */
async function untilWritten(
  key: string,
  seen: string,
  { store, freed, signal }: Pick<ConfigurationParts, 'store' | 'freed' | 'signal'>,
): Promise<void> {
  const enough = new AbortController()
  const timer = setTimeout(() => {
    enough.abort()
  }, CONFIG_RETRY_MS)
  void freed(AbortSignal.any([signal, enough.signal])).then(() => {
    enough.abort()
  })
  for await (const step of store.watch(key, AbortSignal.any([signal, enough.signal]))) {
    if (step.type === 'disconnected') break
    if (step.type === 'snapshot') {
      const found = step.snapshot.entries.find((entry) => entry.key === key)
      if ((found?.modRevision ?? '0') !== seen) break
    } else if (step.changes.length > 0) break
  }
  clearTimeout(timer)
  enough.abort()
}

function missing(key: string, elsewhere: string | undefined): string {
  const hint =
    elsewhere === undefined ? '' : `there is one under ${elsewhere}, did you mean -etcd-prefix=${elsewhere}? Else `
  return `no network config: ${key}: not found in etcd v3: ${hint}put one there, for example: etcdctl put ${key} '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan"}}' (one stored through the v2 API is invisible: store it again with ETCDCTL_API=3)`
}
