// What the daemon needs of a store: values and promises only; etcd/client.ts is the one implementation.
// int64 values (revisions, lease ids) are decimal strings, as etcd3 gives them.

import type { Alarm } from './alarms.ts'

/** One key with its value as read at some revision. */
export interface StoreEntry {
  readonly key: string
  readonly value: Buffer
  readonly createRevision: string
  readonly modRevision: string
  /** The attached etcd lease, "0" for none. */
  readonly lease: string
}

/** All entries under a prefix, as they were at one revision. */
export interface Snapshot {
  readonly revision: string
  readonly entries: readonly StoreEntry[]
  /** The cluster whose history the revision is in. */
  readonly cluster?: string
  /** Of a watch that listed again: `another` when what it had seen before is not in etcd's history. */
  readonly history?: 'another'
}

/** A condition of a transaction: the key has this mod revision ("0": it does not exist). */
export interface StoreCondition {
  readonly key: string
  readonly modRevision: string
}

/** A write of a transaction. `lease` "0" attaches none. */
export type StoreWrite =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease: string }
  | { readonly type: 'delete'; readonly key: string }

/**
 * A step of a watch: first a snapshot, then changes; a snapshot again whenever continuity was lost. After a
 * `disconnected` step the next snapshot or changes (possibly none) say that the connection is back.
 */
export type WatchStep =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'changes'; readonly revision: string; readonly changes: readonly StoreChange[] }
  /** The connection is lost; forwarded for the status. The iterator continues by itself. */
  | { readonly type: 'disconnected'; readonly error: Error }

/** One key's change. */
export type StoreChange =
  | { readonly type: 'put'; readonly entry: StoreEntry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: string }

/** An etcd cluster under one set of endpoints. Every call rejects with EtcdError; deadlines are inside. */
export interface Store {
  /** The entry of one key with the revision read at, undefined when absent. */
  get(key: string): Promise<{ readonly revision: string; readonly entry: StoreEntry | undefined }>
  /** All entries whose key starts with `prefix`, paged at one revision. */
  range(prefix: string): Promise<Snapshot>
  /** Writes all of `writes` if every guard holds; the new revision, or undefined when a guard failed. */
  commit(guards: readonly StoreCondition[], writes: readonly StoreWrite[]): Promise<string | undefined>
  /** A new etcd lease; TTL in seconds. */
  grant(ttl: number): Promise<string>
  /** Remaining and granted seconds of an etcd lease; undefined when it is gone. */
  timeToLive(lease: string): Promise<{ readonly remaining: number; readonly granted: number } | undefined>
  /** Renews an etcd lease once: the TTL it has now, undefined when it is gone. */
  keepAlive(lease: string): Promise<number | undefined>
  /** Gives an etcd lease up, deleting its keys. */
  revoke(lease: string): Promise<void>
  /**
   * Watches a prefix until `signal` aborts: never throws, reconnects with backoff, lists again after compaction. Where
   * `from` holds a listing of that prefix, it is taken out and is the first snapshot.
   */
  watch(prefix: string, signal: AbortSignal, from?: Snapshot[]): AsyncIterableIterator<WatchStep>
  /** The alarms of the cluster; none from a member that does not say. */
  alarms(): Promise<readonly Alarm[]>
  /** Later calls and watches take fresh connections: those we have may be deaf, our own address having changed. */
  reconnect(): void
  close(): void
}
