// The command that removes an object, for the operator.
import { showObject } from './show.ts'
import type { KernelObject, Kind } from './state.ts'

const BY_KIND: Readonly<Record<Kind, (words: string) => string>> = {
  link: (words) => `ip link del ${words.split(' ')[0]}`,
  address: (words) => `ip addr del ${words}`,
  'wireguard-peer': (words) => `wg set ${words.split(' ').slice(0, 3).join(' ')} remove`,
  fdb: (words) => `bridge fdb del ${words.replace(/ self permanent$/, '')}`,
  neighbor: (words) => `ip neigh del ${words.replace(/ lladdr .*/, '')}`,
  nexthop: (words) => `ip nexthop del ${words.split(' ').slice(0, 2).join(' ')}`,
  policy: (words) => `ip xfrm policy delete ${words.replace(/ tmpl .*/, '')}`,
  route: (words) => `ip route del ${words}`,
}

/** The command, by the kind of the object and its words (showObject). */
export function removalCommand(kind: Kind, words: string): string {
  return BY_KIND[kind](words)
}

/** The command that removes this object. */
export function removalCommandOf(object: KernelObject): string {
  return removalCommand(object.kind, showObject(object))
}
