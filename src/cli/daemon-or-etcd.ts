// Asks the running daemon, which needs no flags; where none answers, or the asker says who he is to etcd, answers from etcd
// by the same routes, with the daemon's flags and variables. Invariant: the connection made for that is closed in the end.
import { askControl, controlPath } from '../http/control-socket.ts'
import { EtcdError, OperatorError } from '../errors.ts'
import { openStoreOf } from '../options/open-store.ts'
import { leaseRoutes } from '../control/lease-routes.ts'
import type { Options } from '../options/type.ts'
import { readSubnetEnv, subnetIn } from '../host/subnet-env.ts'

/** The answer to "GET /v1/leases" and the other routes of lease-routes.ts. Throws OperatorError. */
export async function askDaemonOrEtcd(options: Options, route: string, body?: unknown): Promise<unknown> {
  const direct = saysWho(options)
  const answer = direct ? undefined : await askControl(controlPath(options.subnetFile), route, body)
  if (answer !== undefined) return answer
  const [method = '', url = ''] = route.split(' ')
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const own = subnetIn(await readSubnetEnv(options.subnetFile).catch(() => undefined))
  const store = openStoreOf(options)
  try {
    const routes = leaseRoutes(() => ({ store, prefix: options.etcdPrefix, own, wrote: () => undefined }))
    const handler = routes.get(`${method} ${pathname}`)
    // Through JSON and back, as over the socket: what is shown does not depend on who answered.
    const answered = await handler?.({ query: searchParams, body })
    return answered !== undefined && 'json' in answered ? JSON.parse(JSON.stringify(answered.json)) : undefined
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error
    throw new OperatorError(direct ? error.message : `no daemon answers here, nor etcd: ${error.message}`)
  } finally {
    store.close()
  }
}

/** Whether a user or a certificate was given: the daemon may be another user of etcd, with fewer rights than the asker. */
function saysWho({ etcdUsername, etcdCertfile }: Options): boolean {
  return etcdUsername !== undefined || etcdCertfile !== undefined
}
