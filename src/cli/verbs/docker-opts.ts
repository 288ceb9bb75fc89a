// `flanneld docker-opts`: the options dockerd has to be started with, as Go flannel's mk-docker-opts.sh writes them.
// Invariant: the file is written completely or left unchanged; nothing that a file says is ever executed.
import { stat } from 'node:fs/promises'
import { OperatorError } from '../../errors.ts'
import { firstUsable } from '../../host/subnet-env.ts'
import { type WholeFile, updateWhole, writeWhole } from '../../files/whole-file.ts'
import type { Family } from '../../ip/address.ts'
import { FAMILIES, inFamily } from '../../ip/by-family.ts'
import { type Prefix, prefixFamily } from '../../ip/prefix.ts'
import { type LeasedSubnet, SUBNET_FILE, dockerMasquerades, readLeasedSubnet } from '../leased-subnet.ts'

/** What `flanneld docker-opts -h` prints. */
const DOCKER_OPTS_USAGE = `Usage: flanneld docker-opts [-f FILE] [-d FILE] [-i] [-c] [-m] [-k KEY] [-json]

Writes the options dockerd has to be started with on this host, from the lease in subnet.env. Fails, and leaves the
file as it was, when there is no complete lease.

  -f FILE  subnet.env (default ${SUBNET_FILE})
  -d FILE  file to write (default /run/docker_opts.env)
  -i       each option as a variable of its own, DOCKER_OPT_BIP and so on
  -c       all options in one variable; without -i and -c there are both
  -m       leave --ip-masq out
  -k KEY   name of the variable with all options (default DOCKER_OPTS)
  -json    print what was written as JSON (docs/json.md)
`

/** The command line, decoded. */
export interface DockerOptsFlags {
  readonly subnetFile: string
  readonly dockerFile: string
  readonly single: boolean
  readonly combined: boolean
  readonly ipMasq: boolean
  readonly key: string
  readonly json: boolean
}

/** The environment, as process.env. */
type Environment = Readonly<Record<string, string | undefined>>

/** Letters that stand alone, and those that take a value: getopts(1). */
const ALONE = 'icm'
const WITH_VALUE = 'fdk'

/** Reads flags as getopts(1) does: one letter each, several after one dash. Throws OperatorError. */
export function parseDockerOptsFlags(args: readonly string[]): DockerOptsFlags | 'help' {
  const values = new Map<string, string>()
  const given = new Set<string>()
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? ''
    if (/^--?help$/.test(word)) return 'help'
    // As -help, not letters of getopts: Go's script has no -j either.
    if (/^--?json$/.test(word)) {
      given.add('json')
      continue
    }
    const { letters, valued, value } = lettersOf(word)
    for (const letter of letters) given.add(letter)
    if (given.has('h')) return 'help'
    if (valued !== undefined) values.set(valued, value ?? valueOf(valued, args[++at]))
  }
  return flagsFrom(given, values)
}

/** The letters of a word; the first that takes a value ends them, and what follows in the word is that value. */
function lettersOf(word: string): { readonly letters: string; readonly valued?: string; readonly value?: string } {
  if (!/^-./.test(word)) throw new OperatorError(`docker-opts: ${JSON.stringify(word)}: ${HINT}`)
  const [, letters = '', rest = ''] = new RegExp(`^-([${ALONE}]*h?)([^]*)$`).exec(word) ?? []
  const [letter] = rest
  if (letter === undefined || letters.endsWith('h')) return { letters }
  if (!WITH_VALUE.includes(letter)) throw new OperatorError(`docker-opts: -${letter}: ${HINT}`)
  return rest.length === 1 ? { letters, valued: letter } : { letters, valued: letter, value: rest.slice(1) }
}

function valueOf(letter: string, word: string | undefined): string {
  if (word === undefined || word === '') throw new OperatorError(`docker-opts: -${letter}: needs a value`)
  return word
}

function flagsFrom(given: ReadonlySet<string>, values: ReadonlyMap<string, string>): DockerOptsFlags {
  const both = !given.has('i') && !given.has('c')
  const key = values.get('k') ?? 'DOCKER_OPTS'
  if (!/^[A-Za-z_]\w*$/.test(key)) throw new OperatorError(`docker-opts: -k: ${JSON.stringify(key)}: not a variable`)
  return {
    subnetFile: values.get('f') ?? SUBNET_FILE,
    dockerFile: values.get('d') ?? '/run/docker_opts.env',
    single: both || given.has('i'),
    combined: both || given.has('c'),
    ipMasq: !given.has('m'),
    key,
    json: given.has('json'),
  }
}

const HINT = 'unknown; flanneld docker-opts -h lists the flags'

/** An option of dockerd, with the variable that has it alone. */
interface DockerOption {
  readonly name: string
  readonly value: string
}

/**
 * What puts docker0 into a subnet, ahead of the options of all families and behind them: Go's script has --bip first and knows no
 * IPv6. Without --bip docker0 has an IPv4 subnet of Docker's own, as it always has one.
 */
const BRIDGE: Readonly<
  Record<'first' | 'last', Readonly<Record<Family, (subnet: Prefix) => readonly DockerOption[]>>>
> = {
  first: {
    4: (subnet) => [{ name: 'DOCKER_OPT_BIP', value: `--bip=${firstUsable(subnet)}` }],
    6: () => [],
  },
  last: {
    4: () => [],
    6: (subnet) => [
      { name: 'DOCKER_OPT_IPV6', value: '--ipv6' },
      { name: 'DOCKER_OPT_FIXED_CIDR_V6', value: `--fixed-cidr-v6=${subnet}` },
    ],
  },
}

/** The file's text. */
export function renderDockerOpts(lease: LeasedSubnet, flags: DockerOptsFlags, env: Environment): string {
  return variablesOf(lease, flags, env)
    .map(([name, value]) => `${name}="${value}"\n`)
    .join('')
}

/** What the file sets, in its order. Options the operator already has in the variable of `key` come first. */
function variablesOf(
  lease: LeasedSubnet,
  flags: DockerOptsFlags,
  env: Environment,
): readonly (readonly [name: string, value: string])[] {
  const { subnets, mtu } = lease
  const ofFamily = (name: keyof typeof BRIDGE): readonly DockerOption[] =>
    FAMILIES.flatMap((family) => inFamily(subnets, family) ?? []).flatMap((subnet) =>
      BRIDGE[name][prefixFamily(subnet)](subnet),
    )
  const options = [
    ...ofFamily('first'),
    ...(flags.ipMasq ? [{ name: 'DOCKER_OPT_IPMASQ', value: `--ip-masq=${dockerMasquerades(lease)}` }] : []),
    { name: 'DOCKER_OPT_MTU', value: `--mtu=${mtu}` },
    ...ofFamily('last'),
  ]
  const before = env[flags.key] ?? ''
  // The blanks are as in Go's script.
  const all = [before === '' ? '' : `${before} `, ...options.map(({ value }) => value)].join(' ')
  return [
    ...(flags.single ? options.map(({ name, value }) => [name, value] as const) : []),
    ...(flags.combined ? [[flags.key, all] as const] : []),
  ]
}

/** Runs the verb. Throws OperatorError. */
export async function dockerOpts(
  args: readonly string[],
  env: Environment,
  print: (text: string) => void,
): Promise<void> {
  const flags = parseDockerOptsFlags(args)
  if (flags === 'help') {
    print(DOCKER_OPTS_USAGE)
    return
  }
  const lease = await readLeasedSubnet(flags.subnetFile)
  const file = { path: flags.dockerFile, what: 'docker options', flag: '-d' }
  const text = renderDockerOpts(lease, flags, env)
  const shared = await isSameFile(flags.dockerFile, flags.subnetFile)
  const changed = await (shared ? writeBehind(file, text, flags.key) : writeWhole(file, text))
  if (!flags.json) return
  const variables = variablesOf(lease, flags, env).map(([name, value]) => ({ name, value }))
  print(`${JSON.stringify({ file: flags.dockerFile, changed, variables })}\n`)
}

/** Some units have the options written into subnet.env itself: then the lease in it stays. */
function writeBehind(file: WholeFile, text: string, key: string): Promise<boolean> {
  const ours = new RegExp(`^\\s*(?:export\\s+)?(?:DOCKER_OPT_(?:BIP|IPMASQ|MTU|IPV6|FIXED_CIDR_V6)|${key})=`)
  return updateWhole(file, (before) => {
    const others = (before?.toString('latin1') ?? '').split('\n').filter((line) => line !== '' && !ours.test(line))
    const after = Buffer.concat([Buffer.from(others.map((line) => `${line}\n`).join(''), 'latin1'), Buffer.from(text)])
    return before?.equals(after) === true ? undefined : after
  })
}

/** Whether two paths lead to one file that is there. */
async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)))
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev
}
