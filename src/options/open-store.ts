// A connection to the etcd that the options name, for the daemon and for verbs that read etcd themselves.
import { openStore } from '../etcd/client.ts'
import type { Store } from '../etcd/store.ts'
import type { Options } from './type.ts'

/** Opens it; nothing is sent yet. Throws OperatorError for unusable TLS files. */
export function openStoreOf(options: Options): Store {
  return openStore({
    endpoints: options.etcdEndpoints,
    certificateFile: options.etcdCertfile,
    keyFile: options.etcdKeyfile,
    caFile: options.etcdCafile,
    username: options.etcdUsername,
    password: options.etcdPassword,
  })
}
