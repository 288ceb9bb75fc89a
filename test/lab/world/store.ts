// Stores of a test, closed with it, and how their calls fail.
import type { ExecutionContext } from 'ava'
import { EtcdError } from '../../../src/errors.ts'
import { openStore } from '../../../src/etcd/client.ts'
import type { StoreOptions } from '../../../src/etcd/endpoints.ts'
import type { Store } from '../../../src/etcd/store.ts'

export const PASSWORD = 'correct-horse-battery'

export function openTestStore(t: ExecutionContext, options: StoreOptions): Store {
  const store = openStore(options)
  t.teardown(() => {
    store.close()
  })
  return store
}

export async function etcdFailure(call: Promise<unknown>): Promise<EtcdError> {
  try {
    await call
  } catch (error) {
    if (error instanceof EtcdError) return error
    throw error
  }
  throw new Error('the call succeeded')
}
