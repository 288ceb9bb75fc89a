// A connection to the etcd that the options name, for the daemon and for verbs that read etcd themselves.
import { openStore } from '../etcd/client.ts'
import type { StoreOptions } from '../etcd/endpoints.ts'
import type { Store } from '../etcd/store.ts'
import type { Options } from './type.ts'

/** The options of a store; the password may be left out where nothing logs in. */
export function storeOptionsOf(options: Omit<Options, 'etcdPassword'> & Partial<Options>): StoreOptions {
  return {
    endpoints: options.etcdEndpoints,
    certificateFile: options.etcdCertfile,
    keyFile: options.etcdKeyfile,
    caFile: options.etcdCafile,
    username: options.etcdUsername,
    password: options.etcdPassword,
  }
}

/** Opens it; nothing is sent yet. Throws OperatorError for unusable TLS files. */
export function openStoreOf(options: Options): Store {
  return openStore(storeOptionsOf(options))
}
