// Environment variables with a name close to ours: reported at the start, since they have no effect.
import { nearest } from '../text/did-you-mean.ts'
import { PREFIX, ROWS, variableOf } from './table.ts'
import { KLOG_FLAGS } from './klog.ts'

/** The variables of subnet.env. Units pass them to programs, the daemon included. */
const OF_SUBNET_ENV: ReadonlySet<string> = new Set([
  'NETWORK',
  'SUBNET',
  'IPV6_NETWORK',
  'IPV6_SUBNET',
  'MTU',
  'IPMASQ',
])

/** Names in the packages of CentOS and Fedora, whose own script makes flags of them. */
const OLD_NAMES: Readonly<Record<string, string>> = { ETCD: 'ETCD_ENDPOINTS', ETCD_KEY: 'ETCD_PREFIX' }

/** A line for each variable that was probably meant as an option; `given` are the flags on the command line. */
export function nearMisses(
  env: Readonly<Record<string, string | undefined>>,
  given: ReadonlySet<string> = new Set(),
): readonly string[] {
  const known = new Map(ROWS.map(({ flag }) => [variableOf(flag).slice(PREFIX.length), flag]))
  const klog = new Set([...KLOG_FLAGS.keys()].map(variableOf))
  return Object.keys(env).flatMap((name) => {
    if (name.startsWith(PREFIX)) {
      const word = name.slice(PREFIX.length)
      if (known.has(word) || klog.has(name)) return []
      const meant = nearest(word, known.keys())
      return [`${name}: names no option${meant === undefined ? '' : `, did you mean ${PREFIX}${meant}?`}`]
    }
    const [, word] = /^FLAN+EL+D?_+(.+)$/.exec(name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')) ?? []
    if (word === undefined || OF_SUBNET_ENV.has(word)) return []
    const meant = OLD_NAMES[word] ?? (known.has(word) ? word : nearest(word, known.keys()))
    // Units make flags of such variables: then they have their effect.
    if (meant === undefined || given.has(known.get(meant) ?? '') || (env[`${PREFIX}${meant}`] ?? '') !== '') return []
    return [`${name}: is not read, did you mean ${PREFIX}${meant}?`]
  })
}
