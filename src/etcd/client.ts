// The one implementation of Store, over etcd3.
// Invariant: every call ends within its deadline, with a value or an EtcdError; nothing is retried but a listing
// overtaken by compaction, a call whose token expired, and one that may be made twice and took too long.
import type { Interceptor } from '@grpc/grpc-js'
import type { Etcd3, ICompare, IKeyValue, IRequestOp } from 'etcd3'
import { type EtcdError, messageOf } from '../errors.ts'
import { type Alarm, alarmsIn } from './alarms.ts'
import { EtcdConnection, requireLeader } from './connection.ts'
import type { StoreOptions } from './endpoints.ts'
import { isOversized } from './failure.ts'
import { takeIn } from './oversized.ts'
import { type AskRange, endOf, listPages, readKey } from './pages.ts'
import type { StoreEntry, StoreCondition, Snapshot, Store, WatchStep, StoreWrite } from './store.ts'
import type { PastEntry } from './position.ts'
import { endStream, watch, type WatchSource, type WatchStream } from './watch.ts'

/** Operations etcd takes in one transaction (--max-txn-ops). */
const MOST_OPERATIONS = 128

/** For what may be done twice: nothing comes of it but the answer. */
const TWICE = { twice: true } as const

/** Opens a store; connects with the first call. Throws OperatorError for wrong endpoints and TLS files. */
export function openStore(options: StoreOptions): Store {
  return new EtcdStore(options)
}

class EtcdStore implements Store, WatchSource {
  readonly #connection: EtcdConnection

  constructor(options: StoreOptions) {
    this.#connection = new EtcdConnection(options)
  }

  get(key: string): Promise<{ readonly revision: string; readonly entry: StoreEntry | undefined }> {
    return readKey(this.#ask, key).catch(this.#thrown)
  }

  async range(prefix: string): Promise<Snapshot> {
    const { snapshot, cluster } = await this.list(prefix)
    return { ...snapshot, cluster }
  }

  async list(prefix: string): Promise<{ readonly snapshot: Snapshot; readonly cluster: string }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await listPages(this.#ask, prefix)
      } catch (error) {
        if (attempt === 3 || !messageOf(error).includes('has been compacted')) this.#thrown(error)
      }
    }
  }

  readonly #ask: AskRange = async (request) => {
    // An answer that is too large says nothing of etcd or of the connection to it.
    const answer = await this.#connection.call((client) => client.kv.range(request).catch(unlessTooLarge), TWICE)
    if (answer instanceof Error) throw answer
    return answer
  }

  readonly #thrown = (thrown: unknown): never => {
    throw this.#connection.failure(thrown)
  }

  async commit(guards: readonly StoreCondition[], writes: readonly StoreWrite[]): Promise<string | undefined> {
    if (guards.length > MOST_OPERATIONS || writes.length > MOST_OPERATIONS) {
      throw new RangeError(
        `a transaction has at most ${MOST_OPERATIONS} operations, not ${Math.max(guards.length, writes.length)}`,
      )
    }
    const compare = guards.map(compareOf)
    const success = writes.map(operationOf)
    const reply = await this.#connection.call((client) => client.kv.txn({ compare, success, failure: [] }))
    return reply.succeeded ? reply.header.revision : undefined
  }

  async grant(ttl: number): Promise<string> {
    return (await this.#connection.call((client) => client.leaseClient.leaseGrant({ TTL: ttl }))).ID
  }

  async timeToLive(lease: string): Promise<{ readonly remaining: number; readonly granted: number } | undefined> {
    const ask = { ID: lease, keys: false }
    const reply = await this.#connection.call((client) => client.leaseClient.leaseTimeToLive(ask), TWICE)
    const remaining = Number(reply.TTL)
    return remaining < 0 ? undefined : { remaining, granted: Number(reply.grantedTTL) }
  }

  async keepAlive(lease: string): Promise<number | undefined> {
    const once = (): Promise<number> =>
      this.#connection.call((client) => this.#keepAliveOnce(client, lease), { reach: 'one', twice: true })
    const ttl = await this.#connection.elsewhere(once)
    return ttl > 0 ? ttl : undefined
  }

  async #keepAliveOnce(client: Etcd3, lease: string): Promise<number> {
    const stream = await client.leaseClient.leaseKeepAlive({ deadline: this.#connection.deadline() })
    try {
      return await new Promise<number>((resolve, reject) => {
        stream.on('data', (reply) => {
          resolve(Number(reply.TTL))
        })
        stream.on('error', reject)
        stream.on('end', () => {
          reject(new Error('connection closed by etcd'))
        })
        stream.write({ ID: lease })
      })
    } finally {
      endStream(stream)
    }
  }

  async revoke(lease: string): Promise<void> {
    await this.#connection
      .call((client) => client.leaseClient.leaseRevoke({ ID: lease }), TWICE)
      .catch((error: unknown) => {
        // Gone already is what was wanted.
        if (!messageOf(error).includes('requested lease not found')) throw error
      })
  }

  watch(prefix: string, signal: AbortSignal, from: Snapshot[] = []): AsyncIterableIterator<WatchStep> {
    return watch(this, prefix, signal, from)
  }

  async at(key: string, revision: string): Promise<PastEntry | undefined> {
    try {
      const ask = { key: Buffer.from(key), revision, keys_only: true }
      const reply = await this.#connection.call((client) => client.kv.range(ask), TWICE)
      return {
        cluster: reply.header.cluster_id,
        revision: reply.header.revision,
        modRevision: reply.kvs[0]?.mod_revision,
      }
    } catch (error) {
      if (/has been compacted|is a future revision/.test(messageOf(error))) return undefined
      throw error
    }
  }

  async alarms(): Promise<readonly Alarm[]> {
    const { errors } = await this.#connection.call((client) => client.maintenance.status(), TWICE)
    return alarmsIn(errors)
  }

  async open(): Promise<WatchStream> {
    const interceptors = (): Interceptor[] => [requireLeader, ...this.#connection.interceptors()]
    const stream = await this.#connection.call((client) => client.watchClient.watch({ interceptors: interceptors() }), {
      reach: 'one',
    })
    return stream as WatchStream
  }

  request(prefix: string, from: string): Parameters<WatchStream['write']>[0] {
    // progress_notify moves the position on in quiet times, so that compaction does not overtake it.
    const create = {
      key: Buffer.from(prefix),
      range_end: endOf(prefix),
      start_revision: from,
      progress_notify: true,
      fragment: true,
    }
    return { create_request: create }
  }

  entries(kvs: readonly IKeyValue[]): readonly StoreEntry[] {
    return takeIn(kvs)
  }

  limit(): number {
    return this.#connection.limit()
  }

  late(limit: number): void {
    this.#connection.late(limit)
  }

  failure(thrown: unknown): EtcdError {
    return this.#connection.failure(thrown)
  }

  reconnect(): void {
    this.#connection.reconnect()
  }

  close(): void {
    this.#connection.close()
  }
}

function unlessTooLarge(thrown: unknown): Error {
  if (thrown instanceof Error && isOversized(thrown)) return thrown
  throw thrown
}

function compareOf(guard: StoreCondition): ICompare {
  return { key: Buffer.from(guard.key), target: 'Mod', result: 'Equal', mod_revision: guard.modRevision }
}

function operationOf(write: StoreWrite): IRequestOp {
  const key = Buffer.from(write.key)
  return write.type === 'put'
    ? { request_put: { key, value: Buffer.from(write.value), lease: write.lease } }
    : { request_delete_range: { key } }
}
