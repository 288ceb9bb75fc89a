// Where else in etcd a network config may be, when there is none under -etcd-prefix: for the line that says so.
import type { Store } from '../etcd/store.ts'

/** Prefixes that tutorials and packages used. */
const USUAL = [
  '/coreos.com/network',
  '/atomic.io/network',
  '/flannel/network',
  '/kube-centos/network',
  '/kubernetes/network',
]

/** The prefixes that may have been meant, the likeliest first. */
function likelyPrefixes(prefix: string): readonly string[] {
  const near = [
    prefix.startsWith('/') ? prefix.slice(1) : `/${prefix}`,
    prefix.replace(/\/config$/, ''),
    `${prefix}/network`,
    prefix.replace(/\/(network|subnets)$/, ''),
  ]
  return [...new Set([...near, ...USUAL])].filter((candidate) => candidate !== prefix && candidate !== '')
}

/** The first of them with a network config; undefined when there is none, or none that we may read. */
export async function configElsewhere(store: Pick<Store, 'get'>, prefix: string): Promise<string | undefined> {
  for (const candidate of likelyPrefixes(prefix)) {
    try {
      if ((await store.get(`${candidate}/config`)).entry !== undefined) return candidate
    } catch {
      // Not readable, or etcd is gone. It is only a hint.
      return undefined
    }
  }
  return undefined
}
