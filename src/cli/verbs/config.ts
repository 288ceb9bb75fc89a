// `flanneld config get|set|check`: the network config as stored, and replacing it by one that was looked at before.
// Exit status: 0; 2 for a config that is not valid; 1 when it is refused or another process wrote first.
import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import { OperatorError, messageOf } from '../../errors.ts'
import { UsageError } from '../../options/go-flags.ts'
import { printableLines } from '../../text/plain-text.ts'
import type { ComparedConfig, ConfigVerdict, ConfigWritten, StoredConfig } from '../../network-config/stored-config.ts'
import { type AskedVerb, askedOf } from '../asked.ts'
import { columns } from '../../text/columns.ts'
import { askDaemonOrEtcd } from '../daemon-or-etcd.ts'
import { verdictTold } from '../older-daemon.ts'
import type { Terminal } from '../terminal.ts'

/** What may stand behind `config`. */
export const CONFIG_WORDS = ['get', 'set', 'check'] as const

const HELP = `Usage: flanneld config get [-json] [OPTION]...
       flanneld config check FILE [-json] [OPTION]...
       flanneld config set FILE [-dry-run] [-force] [-json] [OPTION]...

get prints the network config as it is stored. check judges the one in FILE (- for standard input) as a daemon would, and
says what it would change for the hosts that run; it writes nothing. set does the same and then stores it, unless somebody
else has changed what it was compared with.

  -dry-run
    \tset: stop before writing
  -force
    \tset: write it though hosts that run could not follow

Exit status: 0; 2 for a config that is not valid; 1 when it is refused or another process wrote first.
`

/** Runs it; the exit status. Throws OperatorError. */
export async function config(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const flags = { 'dry-run': 'boolean', force: 'boolean' } as const
  const asked = askedOf('config', args, env, { flags, words: [0, 2] })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const [word, file] = asked.words
  const known = CONFIG_WORDS.find((candidate) => candidate === word)
  if (known === undefined) throw new UsageError('config: must be followed by get, set FILE or check FILE')
  if (known !== 'set' && (asked.has('dry-run') || asked.has('force')))
    throw new UsageError(`config ${known}: -dry-run and -force belong to config set`)
  if (known === 'get') {
    if (file !== undefined) throw new UsageError(`config get: ${JSON.stringify(file)}: one word too many`)
    return get(asked, out, err)
  }
  if (file === undefined) throw new UsageError(`config ${known}: needs a file, or - for standard input`)
  const text = await read(file)
  const verdict = verdictTold(await askDaemonOrEtcd(asked.options, 'POST /v1/config/check', { config: text }))
  return known === 'check' ? check(verdict, asked, out, err) : set(text, verdict, asked, out, err)
}

async function get({ options, json }: AskedVerb, out: Terminal['out'], err: Terminal['err']): Promise<number> {
  const stored = (await askDaemonOrEtcd(options, 'GET /v1/config')) as StoredConfig
  if (json) {
    out(`${JSON.stringify({ ...stored, parsed: parsed(stored.config) }, null, 2)}\n`)
    return 0
  }
  for (const remark of stored.remarks) err(`flanneld: ${stored.key}: ${remark}\n`)
  if (stored.config === null) return 1
  out(stored.config.endsWith('\n') ? stored.config : `${stored.config}\n`)
  return 0
}

function check(verdict: ConfigVerdict, { json }: AskedVerb, out: Terminal['out'], err: Terminal['err']): number {
  if (json) out(`${JSON.stringify(verdict)}\n`)
  if (!verdict.valid) {
    if (!json) err(`flanneld: ${verdict.message}\n`)
    return 2
  }
  if (json) return 0
  out(`valid\n${renderVerdict(verdict)}`)
  if (verdict.compared !== null && verdict.compared.refusal !== null) out(`→ ${verdict.compared.refusal}\n`)
  return 0
}

async function set(
  text: string,
  verdict: ConfigVerdict,
  asked: AskedVerb,
  out: Terminal['out'],
  err: Terminal['err'],
): Promise<number> {
  const { options, json } = asked
  if (!verdict.valid) {
    if (json) out(`${JSON.stringify({ written: false, verdict })}\n`)
    else err(`flanneld: ${verdict.message}; nothing written\n`)
    return 2
  }
  const { compared, trouble } = verdict
  if (compared === null) throw new OperatorError(`config set: ${trouble ?? 'not compared'}; nothing written`)
  if (!json) out(renderVerdict(verdict))
  if (compared.refusal !== null && !asked.has('force')) {
    if (json) out(`${JSON.stringify({ written: false, verdict })}\n`)
    throw new OperatorError(`config set: ${compared.refusal}; nothing written`)
  }
  if (asked.has('dry-run')) {
    out(json ? `${JSON.stringify({ written: false, verdict })}\n` : 'nothing written: -dry-run\n')
    return 0
  }
  const { revision: comparedWith, key } = compared
  const body = { config: text, force: asked.has('force'), revision: comparedWith }
  const { written, revision } = (await askDaemonOrEtcd(options, 'PUT /v1/config', body)) as ConfigWritten
  if (json) out(`${JSON.stringify({ written, revision, verdict })}\n`)
  else out(written ? `written to ${key} at revision ${revision}\n` : `${key} says so already: nothing written\n`)
  return 0
}

/** What a person reads of a valid config. Pure. */
export function renderVerdict(verdict: ConfigVerdict & { readonly valid: true }): string {
  const { warnings, compared, trouble } = verdict
  const told = compared === null ? `not compared with what is stored: ${trouble ?? ''}\n` : renderChange(compared)
  return printableLines([...warnings.map((warning) => `→ ${warning}\n`), told].join(''))
}

function renderChange({ changes, leases, moving, notes, same, revision }: ComparedConfig): string {
  if (same) return 'no change: it is what is stored\n'
  const rows = changes.map(({ key, before, after, effect }) => [key, `${before ?? '-'} -> ${after ?? '-'}`, effect])
  const nothing = revision === '0' ? 'there is no config yet\n' : 'no change of what it means\n'
  const who = leases === 1 ? '1 lease' : `${leases} leases`
  return [
    rows.length === 0 ? nothing : columns(rows),
    `${who} at the moment\n`,
    renderMoving(moving),
    ...notes.map((note) => `→ ${note}\n`),
  ].join('')
}

/** Names all of them: the operator who writes the config has to notify their owners. */
function renderMoving(moving: ComparedConfig['moving']): string {
  if (moving.length === 0) return ''
  const rows = moving.map(({ subnet, publicAddress }) => [`  ${subnet}`, publicAddress])
  return `outside the new subnets: each is kept until its daemon starts again, which then leases another\n${columns(rows)}`
}

async function read(file: string): Promise<string> {
  try {
    return (file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8')).trimEnd()
  } catch (error) {
    throw new OperatorError(`config: ${file}: ${messageOf(error)}`)
  }
}

function parsed(text: string | null): unknown {
  try {
    if (text === null) return null
    const value: unknown = JSON.parse(text)
    // What is nested too deep to be written again throws.
    JSON.stringify(value)
    return value
  } catch {
    return null
  }
}
