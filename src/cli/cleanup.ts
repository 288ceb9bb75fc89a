// `flanneld cleanup`: takes back everything a daemon put on this host: kernel objects, firewall rules, subnet.env (F5).
// Invariant: what is found is judged by the same ownership as in the daemon; what is not ours stays byte for byte.
import { rm } from 'node:fs/promises'
import { requireNetAdmin } from '../capabilities.ts'
import { controlPath } from '../control.ts'
import { OperatorError } from '../errors.ts'
import { createFirewall } from '../firewall/firewall.ts'
import { removeGuards } from '../firewall/guard.ts'
import { type Prefix, parsePrefix } from '../ip/prefix.ts'
import { Comparison } from '../kernel/diff.ts'
import type { Change, Kernel } from '../kernel/kernel.ts'
import { LiveKernel } from '../kernel/live.ts'
import type { Domain } from '../kernel/ownership.ts'
import { show } from '../kernel/show.ts'
import { KINDS } from '../kernel/state.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import { findDevices } from '../startup.ts'
import { readSubnetEnv } from '../subnet-env.ts'

/** Removes what is ours, or with `dryRun` only says what would go. Throws OperatorError when something stays. */
export async function cleanup(
  options: Options,
  dryRun: boolean,
  log: Log,
  print: (line: string) => void,
): Promise<void> {
  await requireNetAdmin()
  const kernel = new LiveKernel()
  try {
    const env = await readSubnetEnv(options.subnetFile)
    const network = env?.network
    const { deletions, isOurs } = await oursIn(kernel, network)
    for (const { object } of deletions) print(`${dryRun ? 'would delete' : 'delete'} ${object.kind} ${show(object)}`)
    if (network !== undefined) print(`${dryRun ? 'would delete' : 'delete'} firewall rules of ${network}`)
    if (env !== undefined) print(`${dryRun ? 'would delete' : 'delete'} ${options.subnetFile}`)
    if (dryRun) return
    const failures = await kernel.apply(deletions)
    const subnet = env?.subnet === undefined ? [] : [env.subnet]
    const previous = network === undefined ? [] : [network, ...subnet]
    await createFirewall({ log, resyncSeconds: options.iptablesResync, previous }).cleanup()
    await removeGuards({ prefix: [] }, isOurs)
    await rm(options.subnetFile, { force: true })
    await rm(controlPath(options.subnetFile), { force: true })
    const [first] = failures
    if (first !== undefined) throw new OperatorError(`cleanup: ${show(first.change.object)}: ${first.error.message}`)
  } finally {
    kernel.close()
  }
}

/** What is ours. */
interface Ours {
  /** Everything in the kernel, as deletions in the right order. */
  readonly deletions: readonly Change[]
  /** Whether the guard of a VNI is: that of our device, or of one that is gone. */
  readonly isOurs: (vni: number) => boolean
}

/** Looks for what is ours. Without subnet.env, that is whatever looks like flannel's. */
async function oursIn(kernel: Kernel, network: Prefix | undefined): Promise<Ours> {
  const everywhere = parsePrefix('0.0.0.0/0')
  const networks = network === undefined ? (everywhere === undefined ? [] : [everywhere]) : [network]
  const found = await Promise.all(networks.map((known) => findDevices(kernel, known)))
  const domain: Domain = { devices: new Set(found.flatMap((devices) => devices.names)), networks }
  const present = new Set(found.flatMap((devices) => [...devices.macs.keys()]))
  const deletions: Change[] = []
  for (const kind of KINDS) {
    const actual = new Map(await kernel.observe(kind, [...domain.devices]))
    deletions.unshift(...new Comparison(actual, domain, () => false).rest())
  }
  const isOurs = (vni: number): boolean => domain.devices.has(`flannel.${vni}`) || !present.has(`flannel.${vni}`)
  return { deletions, isOurs }
}
