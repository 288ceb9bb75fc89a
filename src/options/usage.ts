// The text of -help, from the option table, in the layout of Go's flag package, and from the table of verbs.
import { KLOG_HELP } from './klog.ts'
import { type NamedRow, ROWS } from './table.ts'

/** The verbs, each with one line for -help and the completions. */
export const VERBS = {
  cleanup: 'remove everything the daemon put on this host',
  completion: 'print the shell completion for bash or zsh',
  config: 'show, check or store the network config',
  'docker-network': 'create or check a Docker network with the leased subnet',
  'docker-opts': 'write dockerd options for the leased subnet',
  doctor: 'check everything, print causes and fixes',
  events: 'show recent repairs and changes of peers, leases, etcd, firewall',
  leases: 'list leased, reserved and free subnets',
  peers: 'list peers, those in trouble first',
  ping: 'probe one peer now, through the tunnel and on the underlay',
  readmit: 'let a shut-out host in again',
  release: 'remove the reservation of a subnet',
  reserve: 'reserve a subnet for one host',
  'shut-out': 'exclude a host from the network at once, on every host',
  status: 'show the verdict on this host, and what to do',
} as const

/** One of VERBS. */
export type Verb = keyof typeof VERBS

/** The verbs, in the order of the usage text. */
export const VERB_NAMES = Object.keys(VERBS) as readonly Verb[]

/** The usage text, ending in a newline. */
export function usage(): string {
  const width = Math.max(...VERB_NAMES.map((verb) => verb.length))
  const lines = [
    'Usage: flanneld [OPTION]...',
    '       flanneld VERB [OPTION]...',
    '',
    'Verbs (details: flanneld VERB -help):',
    ...VERB_NAMES.map((verb) => `  ${verb.padEnd(width)}  ${VERBS[verb]}`),
    '',
    'Every option has an environment variable: FLANNELD_ETCD_PREFIX for -etcd-prefix. A flag takes precedence.',
    '',
  ]
  for (const row of ROWS) lines.push(...describe(row))
  lines.push('  -version', '    \tprint the version and exit', '  -help', '    \tprint this text and exit')
  lines.push('', KLOG_HELP)
  return `${lines.join('\n')}\n`
}

function describe(row: NamedRow): readonly string[] {
  const unsupported =
    row.unsupported === undefined
      ? ''
      : row.unsupported === 'refused'
        ? ' (not supported yet)'
        : ' (accepted, without effect)'
  return [
    `  -${row.flag}${row.format.argument === undefined ? '' : ` ${row.format.argument}`}`,
    `    \t${row.doc}${defaultOf(row.default)}${unsupported}`,
  ]
}

/** ` (default X)`; as in Go, nothing for false, 0 and an empty list. */
export function defaultOf(value: unknown): string {
  if (value === undefined || value === false || value === 0) return ''
  const text = Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : JSON.stringify(value)
  return text === '' ? '' : ` (default ${text})`
}
