// What a watch gave, kept for comparison, and an etcd behind a proxy that can cut.
import { type ExecutionContext } from 'ava'
import { openStore } from '../../../src/etcd/client.ts'
import type { StoreEntry, Store, WatchStep } from '../../../src/etcd/store.ts'
import { type Proxy, startProxy } from '../actors/proxy.ts'
import { waitFor } from './wait.ts'
import { type Etcd, startEtcd } from '../world/etcd.ts'

/** What a watch said: every event in order, and the state they lead to. */
export interface Record {
  /** `put key@revision` and `delete key@revision` since the first snapshot. */
  readonly events: string[]
  readonly state: Map<string, string>
  readonly count: { snapshots: number; disconnects: number; steps: number; otherHistories: number }
  stop(): Promise<number>
}

export function record(t: ExecutionContext, store: Store, prefix = '/w/'): Record {
  const abort = new AbortController()
  const events: string[] = []
  const state = new Map<string, string>()
  const count = { snapshots: 0, disconnects: 0, steps: 0, otherHistories: 0 }
  const take = (entry: StoreEntry): void => void state.set(entry.key, `${entry.value.toString()}@${entry.modRevision}`)
  const follow = (step: WatchStep): void => {
    count.steps++
    if (step.type === 'disconnected') count.disconnects++
    if (step.type === 'snapshot') {
      count.snapshots++
      if (step.snapshot.history === 'another') count.otherHistories++
      state.clear()
      step.snapshot.entries.forEach(take)
    }
    if (step.type !== 'changes') return
    for (const change of step.changes) {
      if (change.type === 'put') take(change.entry)
      else state.delete(change.key)
      events.push(
        change.type === 'put'
          ? `put ${change.entry.key}@${change.entry.modRevision}`
          : `delete ${change.key}@${change.modRevision}`,
      )
    }
  }
  const done = (async () => {
    for await (const step of store.watch(prefix, abort.signal)) follow(step)
  })()
  const stop = async (): Promise<number> => {
    const begin = performance.now()
    abort.abort()
    await done
    return performance.now() - begin
  }
  t.teardown(stop)
  return { events, state, count, stop }
}

export async function etcdBehindProxy(
  t: ExecutionContext,
): Promise<{ etcd: Etcd; proxy: Proxy; direct: Store; store: Store }> {
  const etcd = await startEtcd(t)
  const proxy = await startProxy(etcd.port)
  t.teardown(() => proxy.close())
  const direct = openStore({ endpoints: [etcd.url] })
  t.teardown(() => {
    direct.close()
  })
  const store = openStore({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
  t.teardown(() => {
    store.close()
  })
  return { etcd, proxy, direct, store }
}

export async function put(store: Store, key: string, value = 'v'): Promise<string> {
  const revision = await store.commit([], [{ type: 'put', key, value, lease: '0' }])
  if (revision === undefined) throw new Error('not committed')
  return revision
}

/** The state a listing shows, in the form of Record.state. */
export async function listed(store: Store, prefix = '/w/'): Promise<string[]> {
  const { entries } = await store.range(prefix)
  return entries.map((entry) => `${entry.key} ${entry.value.toString()}@${entry.modRevision}`).toSorted()
}

export const shown = (state: Map<string, string>): string[] =>
  [...state].map(([key, value]) => `${key} ${value}`).toSorted()

export async function waitForState(what: string, seen: Record, store: Store, deadline?: number): Promise<void> {
  const wanted = await listed(store)
  await waitFor(what, () => JSON.stringify(shown(seen.state)) === JSON.stringify(wanted), deadline)
}
