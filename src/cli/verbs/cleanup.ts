// `flanneld cleanup`: takes back everything a daemon put on this host: kernel objects, firewall rules, subnet.env.
// Invariant: what is found is judged by the same ownership as in the daemon; what is not ours stays byte for byte.
import { requireNetAdmin } from '../../host/capabilities.ts'
import { controlPath } from '../../http/control-socket.ts'
import { OperatorError } from '../../errors.ts'
import { createFirewall } from '../../firewall/firewall.ts'
import { GUARD_PREFIX } from '../../firewall/nftables/arrival.ts'
import { removeGuards } from '../../firewall/nftables/guard.ts'
import { type Prefix, overlaps, parsePrefix } from '../../ip/prefix.ts'
import { KindComparison } from '../../kernel/diff.ts'
import type { KernelChange, Kernel } from '../../kernel/kernel.ts'
import { LiveKernel } from '../../kernel/live.ts'
import type { Domain } from '../../kernel/ownership.ts'
import { showObject } from '../../kernel/show.ts'
import { KINDS } from '../../kernel/state.ts'
import { Locks } from '../../host/lock.ts'
import { type Log, createLog } from '../../log.ts'
import { HELPER_TYPES, helperDriver } from '../../helpers/helper-drivers.ts'
import { networkLock, processOf, vxlanLock } from '../../obstacles/obstacles.ts'
import type { Options } from '../../options/type.ts'
import { findDevices, guardsOf } from '../../obstacles/found-devices.ts'
import { readSubnetEnv, removeSubnetEnv } from '../../host/subnet-env.ts'
import { valuesOf } from '../../ip/by-family.ts'
import { removeSocket } from '../../http/unix-socket.ts'
import { askedOf } from '../asked.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld cleanup [-dry-run] [-json] [OPTION]...

Takes off this host what a daemon with these flags put there: devices, routes, neighbours, forwarding entries, firewall
rules, subnet.env. Stop the daemon first. Running twice is calm.

  -dry-run  only say what would go
  -json     print it as JSON (docs/json.md)
`

/** Something that goes: of a kind (of kernel objects, `firewall` or `file`), and which. */
interface Removal {
  readonly what: string
  readonly object: string
  /** Why it is still there; null when it is gone, or nothing was tried. */
  readonly error: string | null
}

/** Runs the verb; the exit status. Throws OperatorError when something stays. */
export async function cleanupVerb(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const asked = askedOf('cleanup', args, env, { flags: { 'dry-run': 'boolean' } })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const { options, json } = asked
  const dryRun = asked.has('dry-run')
  const verb = dryRun ? 'would delete' : 'delete'
  const foreseen = (found: readonly Removal[]): void => {
    for (const { what, object } of json ? [] : found)
      out(`${verb} ${what === 'firewall' ? 'firewall rules of ' : what === 'file' ? '' : `${what} `}${object}\n`)
  }
  const done = await cleanup(options, dryRun, createLog('cleanup', options.verbosity, err), foreseen)
  if (json) out(`${JSON.stringify({ dryRun, done })}\n`)
  const failed = done.find(({ error }) => error !== null)
  if (failed !== undefined) throw new OperatorError(`cleanup: ${failed.object}: ${failed.error}`)
  return 0
}

/** Lists what is ours, then removes it, unless `dryRun`. Throws OperatorError. */
async function cleanup(
  options: Options,
  dryRun: boolean,
  log: Log,
  foresee: (found: readonly Removal[]) => void,
): Promise<readonly Removal[]> {
  await requireNetAdmin()
  const kernel = new LiveKernel()
  try {
    const env = await readSubnetEnv(options.subnetFile)
    const networks = env === undefined ? [] : valuesOf(env.networks)
    const locks = new Locks()
    for (const network of dryRun ? [] : networks) {
      const holder = locks.holder(networkLock(network))
      if (holder !== undefined)
        throw new OperatorError(`cleanup: ${network}: flanneld runs in it (${processOf(holder)}): stop that first`)
    }
    const { deletions, isOurs } = await oursIn(kernel, networks, locks)
    const objects = deletions.map(({ object }) => removalOf(object.kind, showObject(object)))
    const others = [
      ...networks.map((network) => removalOf('firewall', network)),
      ...(env === undefined ? [] : [removalOf('file', options.subnetFile)]),
    ]
    foresee([...objects, ...others])
    if (dryRun) return [...objects, ...others]
    const failures = await kernel.apply(deletions)
    for (const type of HELPER_TYPES) await helperDriver(type).endLeft?.()
    const previous = env === undefined || networks.length === 0 ? [] : [...networks, ...valuesOf(env.subnets)]
    await createFirewall({ log, resyncSeconds: options.iptablesResync, previous }).cleanup()
    await removeGuards({ prefix: [] }, isOurs)
    await removeSubnetEnv(options.subnetFile)
    removeSocket(controlPath(options.subnetFile))
    const errors = new Map(failures.map(({ change, error }) => [showObject(change.object), error.message]))
    return [...objects.map((one) => ({ ...one, error: errors.get(one.object) ?? null })), ...others]
  } finally {
    kernel.close()
  }
}

function removalOf(what: string, object: string): Removal {
  return { what, object, error: null }
}

/** What is ours. */
interface Ours {
  /** Everything in the kernel, as deletions in the right order. */
  readonly deletions: readonly KernelChange[]
  /** Whether a guard's table, with the networks it names, is: that of our device, or of one that is gone. */
  readonly isOurs: (table: string, networks: readonly Prefix[]) => boolean
}

/** Everything, by family. */
const EVERYWHERE: readonly Prefix[] = ['0.0.0.0/0', '::/0'].flatMap((text) => parsePrefix(text) ?? [])

/** Looks for what is ours. Without subnet.env, that is whatever looks like flannel's; never what a daemon that runs has. */
async function oursIn(kernel: Kernel, known: readonly Prefix[], locks: Locks): Promise<Ours> {
  const networks = known.length === 0 ? EVERYWHERE : known
  const found = await findDevices(kernel, networks, locks)
  const domain: Domain = { devices: new Set(found.names), networks }
  const [mine, present] = [guardsOf(domain.devices), guardsOf(found.all)]
  const deletions: KernelChange[] = []
  for (const kind of KINDS) {
    const actual = new Map(await kernel.observe(kind, [...domain.devices]))
    deletions.unshift(...new KindComparison(actual, domain, () => false).rest())
  }
  const isOurs = (table: string, named: readonly Prefix[]): boolean => {
    if (mine.includes(table) || present.includes(table)) return mine.includes(table)
    const vni = /^\d+$/.exec(table.slice(GUARD_PREFIX.length))?.[0]
    if (vni !== undefined) return locks.holder(vxlanLock(Number(vni))) === undefined
    const free = named.every((one) => locks.holder(networkLock(one)) === undefined)
    return free && named.some((one) => networks.some((network) => overlaps(one, network)))
  }
  return { deletions, isOurs }
}
