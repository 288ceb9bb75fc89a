// Reads etcd: each endpoint separately, how long it takes, and what is stored.
// Invariant: fresh connections, so that what is found is what a daemon starting now would find; ends within ten seconds where
// etcd is quick or silent, and within a minute where it answers, but slowly.
import { EtcdError, messageOf } from '../errors.ts'
import type { Alarm } from '../etcd/alarms.ts'
import { openStore } from '../etcd/client.ts'
import type { StoreOptions } from '../etcd/endpoints.ts'
import type { StoreEntry, Store } from '../etcd/store.ts'
import { unlessAborted } from '../async/wait.ts'
import { subnetsFolder } from '../lease/codec.ts'
import { addressShutOut, shutOutFolder } from '../lease/shut-out.ts'
import { storeOptionsOf } from '../options/open-store.ts'
import type { Options } from '../options/type.ts'
import type { StoreContent, StoreFacts, StoredLease } from './stored.ts'

/** The first deadline of a call; longer where etcd answers slowly. Milliseconds. */
const DEADLINE_MS = 2_500
/** The first two reads of an endpoint may take two deadlines; after this time there is no third read. Milliseconds. */
const ENOUGH_MS = 1_000
/** The limit of reading what is stored: this many milliseconds, or this many round trips where those are slow. */
const CONTENT_MS = 3_000
const CONTENT_TRIPS = 10
/** No more in any case. Milliseconds. */
const CONTENT_MOST_MS = 30_000
/** Reads that make a median; the first connects and does not count. */
const READS = 5

/** Reads etcd. `isOwn` picks this host's lease. Never rejects. */
export async function readStore(
  options: Options,
  isOwn: (leases: readonly StoredLease[]) => StoredLease | undefined,
): Promise<StoreFacts> {
  const key = `${options.etcdPrefix}/config`
  const endpoints = await Promise.all(options.etcdEndpoints.map((url) => askEndpoint(url, options, key)))
  const answering = endpoints.filter(({ error }) => error === undefined).map(({ url }) => url)
  const first = endpoints.find(({ error }) => error !== undefined)?.error?.text
  if (answering.length === 0) return { endpoints, content: undefined, error: first ?? 'no endpoint is given' }
  try {
    let alarms: readonly Alarm[] | undefined
    const reading = withStore(quickStore(options, answering), async (store) => {
      // First of all: under an alarm the rest may be refused.
      alarms = await store.alarms().catch(() => undefined)
      return readContent(store, options, isOwn).catch((thrown: unknown) => messageOf(thrown))
    })
    const slowest = Math.max(...endpoints.map(({ roundTripMs = 0 }) => roundTripMs))
    const limit = Math.round(Math.min(CONTENT_MOST_MS, Math.max(CONTENT_MS, slowest * CONTENT_TRIPS)))
    const content = await unlessAborted(reading, AbortSignal.timeout(limit))
    if (typeof content === 'object') return { endpoints, content, error: undefined, alarms }
    return { endpoints, content: undefined, error: content ?? `not read within ${Math.round(limit / 1000)} s`, alarms }
  } catch (error) {
    return { endpoints, content: undefined, error: messageOf(error) }
  }
}

function quickStore(options: Options, endpoints: readonly string[]): StoreOptions {
  return { ...storeOptionsOf(options), endpoints, deadline: DEADLINE_MS }
}

async function askEndpoint(url: string, options: Options, key: string): Promise<StoreFacts['endpoints'][number]> {
  try {
    return await withStore(quickStore(options, [url]), async (store) => {
      const times: number[] = []
      for (let read = 0; read < READS; read++) {
        const start = performance.now()
        await store.get(key)
        times.push(performance.now() - start)
        // This slow is slow enough: the operator should not wait for five.
        if (read > 0 && times.reduce((sum, time) => sum + time, 0) > ENOUGH_MS) break
      }
      return { url, roundTripMs: median(times.slice(1)), error: undefined }
    })
  } catch (error) {
    const why = error instanceof EtcdError ? error.why : 'tls'
    return { url, roundTripMs: undefined, error: { why, text: messageOf(error) } }
  }
}

async function readContent(
  store: Store,
  options: Options,
  isOwn: (leases: readonly StoredLease[]) => StoredLease | undefined,
): Promise<StoreContent> {
  const [{ revision, entry }, { entries }, out] = await Promise.all([
    store.get(`${options.etcdPrefix}/config`),
    store.range(subnetsFolder(options.etcdPrefix)),
    store.range(shutOutFolder(options.etcdPrefix)),
  ])
  const shutOut = out.entries.flatMap(({ key }) => addressShutOut(options.etcdPrefix, key) ?? [])
  const leases = entries.map(leaseOf)
  const own = isOwn(leases)
  const attached = own !== undefined && own.etcdLease !== '0'
  const ownTtl = attached ? await store.timeToLive(own.etcdLease) : undefined
  return { revision, config: entry?.value.toString(), leases, shutOut, ownTtl }
}

function leaseOf({ key, value, createRevision, modRevision, lease }: StoreEntry): StoredLease {
  return { key, text: value.toString(), createRevision, modRevision, etcdLease: lease }
}

async function withStore<T>(options: StoreOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const store = openStore(options)
  try {
    return await use(store)
  } finally {
    store.close()
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
