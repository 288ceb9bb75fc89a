// How etcd is, as an operator sees it from this host: its endpoints, our watch, the certificate we show.
import type { StoreView } from './status-shape.ts'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import { type EndpointHealth, askHealth } from '../etcd/endpoint-health.ts'
import type { RunningDaemon } from './running-daemon.ts'
import { storeOptionsOf } from '../options/open-store.ts'
import type { Options } from '../options/type.ts'
import { TABLE } from '../options/table.ts'

/** Gathers it: one request to each endpoint, one reading of the certificate. */
export async function storeOf({ options, etcd }: Pick<RunningDaemon, 'options' | 'etcd'>): Promise<StoreView> {
  const secure = options.etcdEndpoints.some((url) => url.startsWith('https:'))
  const { etcdCertfile } = options
  return {
    endpoints: await endpointsOf(options, etcd.usualMs),
    connected: etcd.connected,
    revision: etcd.revision ?? null,
    since: etcd.since ?? null,
    tls: !secure ? 'none' : etcdCertfile === undefined ? 'server' : 'mutual',
    certificateEnds: secure && etcdCertfile !== undefined ? await endOf(etcdCertfile) : null,
    error: etcd.trouble ?? null,
  }
}

async function endpointsOf(options: Options, usualMs: number): Promise<readonly EndpointHealth[]> {
  try {
    const all = await askHealth(storeOptionsOf(options), usualMs)
    // Of the two default endpoints one is there, as old or new etcds have it: the other is no fault.
    const byDefault = options.etcdEndpoints.join() === TABLE.etcdEndpoints.default.join()
    const there = all.filter(({ health }) => health !== 'silent')
    return byDefault && there.length > 0 ? there : all
  } catch (error) {
    // TLS files that were replaced by something else while we run.
    return options.etcdEndpoints.map((url) => ({ url, health: 'unknown', detail: messageOf(error) }))
  }
}

async function endOf(file: string): Promise<number | null> {
  try {
    return Date.parse(new X509Certificate(await readFile(file)).validTo)
  } catch {
    return null
  }
}
