// The text of -help, made from the option table in the layout of Go's flag package, and from the table of verbs.
import { KLOG_HELP } from './klog.ts'
import { type NamedRow, ROWS } from './table.ts'

/** Words that may stand in place of running the daemon, each with one line for -help and the completions. */
export const VERBS = {
  cleanup: 'take everything the daemon put on this host off again',
  completion: 'print what makes bash or zsh complete verbs, flags and files',
  config: 'show the network config, judge another one, or store it',
  'docker-network': 'make a Docker network on the leased subnet, or print how',
  'docker-opts': 'write the options dockerd needs for the leased subnet',
  doctor: 'what is wrong, why, and what mends it',
  events: 'what happened: repairs, peers, leases, etcd, firewall',
  leases: 'who has which subnet and until when, and what is free',
  peers: 'the peers, those in trouble first',
  ping: 'probe one peer now, through the tunnel and beside it',
  readmit: 'let a host in again that was shut out',
  release: 'give the reservation of a subnet back',
  reserve: 'reserve a subnet for one host',
  'shut-out': 'shut a host out of the network at once, on every host',
  status: 'how this host is doing, and what to do about it',
} as const

/** One of VERBS. */
export type Verb = keyof typeof VERBS

/** The verbs, in the order of the usage text. */
export const VERB_NAMES = Object.keys(VERBS) as readonly Verb[]

/** The whole usage text, ending in a newline. */
export function usage(): string {
  const width = Math.max(...VERB_NAMES.map((verb) => verb.length))
  const lines = [
    'Usage: flanneld [OPTION]...',
    '       flanneld VERB [OPTION]...',
    '',
    'Verbs; flanneld VERB -help says more:',
    ...VERB_NAMES.map((verb) => `  ${verb.padEnd(width)}  ${VERBS[verb]}`),
    '',
    'Every option can also be given by environment: -etcd-prefix as FLANNELD_ETCD_PREFIX. A flag beats its variable.',
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

/** ` (default X)`; nothing, as in Go, for a value that is none: false, 0, an empty list. */
export function defaultOf(value: unknown): string {
  if (value === undefined || value === false || value === 0) return ''
  const text = Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : JSON.stringify(value)
  return text === '' ? '' : ` (default ${text})`
}
