// Stores and etcds of a test, ended with it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { EtcdError } from '../../../src/errors.ts'
import { openStore } from '../../../src/etcd/client.ts'
import type { StoreOptions } from '../../../src/etcd/endpoints.ts'
import type { Store } from '../../../src/etcd/store.ts'
import { startEtcd, type Etcd } from './etcd.ts'

export const PASSWORD = 'correct-horse-battery'

export function open(t: ExecutionContext, options: StoreOptions): Store {
  const store = openStore(options)
  t.teardown(() => {
    store.close()
  })
  return store
}

export function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), `flanneld-tls-${process.pid}-`))
  t.teardown(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

export async function start(t: ExecutionContext, ...setup: Parameters<typeof startEtcd>): Promise<Etcd> {
  const etcd = await startEtcd(...setup)
  t.teardown(() => etcd.stop())
  return etcd
}

export async function failure(call: Promise<unknown>): Promise<EtcdError> {
  try {
    await call
  } catch (error) {
    if (error instanceof EtcdError) return error
    throw error
  }
  throw new Error('the call succeeded')
}
