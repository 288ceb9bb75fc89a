// What a host shows without a running daemon: subnet.env, what is left in the kernel, and etcd where the command line or
// the environment says where that is. Read only.
import { EtcdError, OperatorError } from '../errors.ts'
import { openStoreOf } from '../options/open-store.ts'
import type { Store } from '../etcd/store.ts'
import { DEVICE_NAMES, isFlannelDevice } from '../kernel/flannel-link.ts'
import { withKernel } from '../kernel/once.ts'
import { FLANNEL_PROTOCOL, type KernelObject, type Kind } from '../kernel/state.ts'
import { type LeaseView, readLeases } from '../view/leases.ts'
import type { Environment } from '../options/parse.ts'
import { type FoundSubnetEnv, subnetIn } from '../host/subnet-env.ts'
import type { AskedVerb } from './asked.ts'

/** What is left in the kernel. */
export interface KernelLeft {
  /** Devices named as flannel's are. */
  readonly devices: readonly string[]
  /** Routes to peers. */
  readonly routes: number
}

/** The leases in etcd, or why they could not be read; undefined when no flag says where etcd is. */
export type EtcdSeen = { readonly view: LeaseView } | { readonly error: string } | undefined

/** Counts what a daemon before left in the kernel. */
export async function kernelLeft(): Promise<KernelLeft> {
  const { devices, routes } = await objectsLeft([])
  return { devices, routes: routes.length }
}

/** The objects a daemon before left: flannel's devices, routes to peers, and entries of `kinds`. */
export function objectsLeft(kinds: readonly Kind[]): Promise<{
  readonly devices: readonly string[]
  readonly routes: readonly (KernelObject & { readonly kind: 'route' })[]
  readonly others: readonly KernelObject[]
}> {
  return withKernel(async (kernel) => {
    const links = [...(await kernel.observe('link', DEVICE_NAMES)).values()]
    const devices = links.flatMap((it) => (isFlannelDevice(it) ? [it.name] : []))
    const found = [...(await kernel.observe('route', devices)).values()]
    const routes = found.flatMap((it) => (it.kind === 'route' && isToPeer(it, devices) ? [it] : []))
    const others: KernelObject[] = []
    for (const kind of kinds) others.push(...(await kernel.observe(kind, devices)).values())
    return { devices, routes, others }
  })
}

/** Go's flanneld marks nothing as its own: its routes are known by their device. */
function isToPeer({ target, protocol }: KernelObject & { kind: 'route' }, devices: readonly string[]): boolean {
  if (target.type === 'blackhole') return false
  return protocol === FLANNEL_PROTOCOL || (target.type === 'gateway' && devices.includes(target.device))
}

/** Reads the leases, when the endpoints are given: the default ones would be a guess. */
export async function etcdSeen(asked: AskedVerb, env: Environment, own: FoundSubnetEnv | undefined): Promise<EtcdSeen> {
  if (asked.value('etcd-endpoints') === undefined && (env['FLANNELD_ETCD_ENDPOINTS'] ?? '') === '') return undefined
  const { options } = asked
  let store: Store | undefined
  try {
    store = openStoreOf(options)
    return { view: await readLeases(store, options.etcdPrefix, { own: subnetIn(own) }) }
  } catch (error) {
    if (error instanceof EtcdError || error instanceof OperatorError) return { error: error.message }
    throw error
  } finally {
    store?.close()
  }
}
