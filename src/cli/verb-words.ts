// What may stand behind each verb: for the completions of shells. A test holds it against what the verbs' -help says.
import type { Verb } from '../options/usage.ts'
import { CONFIG_WORDS } from './verbs/config.ts'

/** What a word or a flag's value may be: a file, one of these, or free text. */
export type Guess = 'file' | 'any' | readonly string[]

/** What follows a verb. */
export interface VerbWords {
  /** Its own flags, without dash, with what follows each; undefined for a boolean, which is followed by nothing. */
  readonly flags: Readonly<Record<string, Guess | undefined>>
  /** Its words, in order. */
  readonly words: readonly Guess[]
  /** Whether it takes the daemon's flags as well. */
  readonly daemon: boolean
}

const JSON_ONLY = { json: undefined }

/** By verb. */
export const VERB_WORDS: Readonly<Record<Verb, VerbWords>> = {
  cleanup: { flags: { 'dry-run': undefined, ...JSON_ONLY }, words: [], daemon: true },
  completion: { flags: {}, words: [['bash', 'zsh']], daemon: false },
  config: {
    flags: { 'dry-run': undefined, force: undefined, ...JSON_ONLY },
    words: [CONFIG_WORDS, 'file'],
    daemon: true,
  },
  'docker-network': {
    flags: { 'subnet-file': 'file', 'docker-socket': 'file', ...JSON_ONLY },
    words: ['any'],
    daemon: false,
  },
  'docker-opts': {
    flags: { f: 'file', d: 'file', i: undefined, c: undefined, m: undefined, k: 'any', ...JSON_ONLY },
    words: [],
    daemon: false,
  },
  doctor: { flags: { verbose: undefined, bundle: 'file', ...JSON_ONLY }, words: ['any'], daemon: true },
  events: { flags: { follow: undefined, ...JSON_ONLY }, words: [], daemon: true },
  leases: { flags: JSON_ONLY, words: [], daemon: true },
  peers: { flags: JSON_ONLY, words: [], daemon: true },
  ping: { flags: { count: 'any', ...JSON_ONLY }, words: ['any'], daemon: true },
  readmit: { flags: JSON_ONLY, words: ['any'], daemon: true },
  release: { flags: JSON_ONLY, words: ['any'], daemon: true },
  reserve: { flags: JSON_ONLY, words: ['any', 'any'], daemon: true },
  'shut-out': { flags: JSON_ONLY, words: ['any'], daemon: true },
  status: { flags: { watch: undefined, ...JSON_ONLY }, words: [], daemon: true },
}
