import test from 'ava'
import { configElsewhere } from '../../src/network-config/elsewhere.ts'
import type { StoreEntry, Store } from '../../src/etcd/store.ts'

/** A store in which these keys are, and those of `forbidden` may not be read. */
function storeWith(keys: readonly string[], forbidden: readonly string[] = []): Pick<Store, 'get'> {
  const entry: StoreEntry = { key: '', value: Buffer.from('{}'), createRevision: '1', modRevision: '1', lease: '0' }
  return {
    get: (key) => {
      if (forbidden.includes(key)) return Promise.reject(new Error('permission denied'))
      return Promise.resolve({ revision: '1', entry: keys.includes(key) ? { ...entry, key } : undefined })
    },
  }
}

for (const [prefix, key, meant] of [
  ['coreos.com/network', '/coreos.com/network/config', '/coreos.com/network'],
  ['/coreos.com/network', 'coreos.com/network/config', 'coreos.com/network'],
  ['/coreos.com/network/config', '/coreos.com/network/config', '/coreos.com/network'],
  ['/coreos.com', '/coreos.com/network/config', '/coreos.com/network'],
  ['/coreos.com/network', '/atomic.io/network/config', '/atomic.io/network'],
  ['/coreos.com/network', '/x/config', undefined],
] as const) {
  test(`no config under ${prefix}, but ${key}: ${meant ?? 'no hint'}`, async (t) => {
    t.is(await configElsewhere(storeWith([key]), prefix), meant)
  })
}

test('what may not be read gives no hint, and no error', async (t) => {
  t.is(await configElsewhere(storeWith(['/atomic.io/network/config'], ['x/config']), '/x'), undefined)
})
