// The etcd that the daemon's options name, for the daemon and for verbs that ask etcd by themselves.
import { openStore } from '../etcd/client.ts'
import type { Store } from '../etcd/store.ts'
import type { Options } from './type.ts'

/** Opens it; nothing is sent yet. Throws OperatorError for TLS files that are of no use. */
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
