// extension: commands of the operator carry packets to peers, as in Go's flanneld. src/helpers/commands runs them.
import type { Backend, Checked, Command, ConfigKeys, Self } from '../../src/backend.ts'
import { commandOf } from './command-line.ts'

/** `Backend` of the network config for Type extension; undefined for a command that is not given. */
export interface ExtensionConfig {
  readonly commands: Readonly<Record<keyof typeof KEYS, Command | undefined>>
}

/** The name of what runs the commands, and of what the first one printed. */
const NAME = 'extension'
/** Characters of BackendData at most: what one command prints, and another reads. */
const MOST_DATA = 4096

const PREPARES = 'every host runs it at its next start'
const RUNS_AGAIN = 'every host runs SubnetRemoveCommand, ShutdownCommand, PostStartupCommand and SubnetAddCommand'

const KEYS = {
  PreStartupCommand: {
    default: '',
    doc: 'run before the lease is written; what it prints is BackendData',
    change: PREPARES,
  },
  PostStartupCommand: {
    default: '',
    doc: 'run when there is a lease, with NETWORK, SUBNET and PUBLIC_IP',
    change: RUNS_AGAIN,
  },
  SubnetAddCommand: {
    default: '',
    doc: 'run for each peer, with its SUBNET and PUBLIC_IP, and with its BackendData on standard input; again when these change, and until it succeeds',
    change: RUNS_AGAIN,
  },
  SubnetRemoveCommand: {
    default: '',
    doc: 'the same for a peer that has left, and for every peer before a change runs ShutdownCommand',
    change: RUNS_AGAIN,
  },
  ShutdownCommand: { default: '', doc: 'run when the daemon stops, or another backend is used', change: RUNS_AGAIN },
} as const satisfies ConfigKeys

const NAMES = Object.keys(KEYS) as readonly (keyof typeof KEYS)[]

function environmentOf({ network, subnet, external }: Self<ExtensionConfig>): Readonly<Record<string, string>> {
  return { NETWORK: network, SUBNET: subnet, IPV6SUBNET: '', PUBLIC_IP: external.publicAddress, PUBLIC_IPV6: '' }
}

function parseData(data: unknown): Checked<string> {
  if (data === undefined || data === null) return { ok: true, value: '' }
  if (typeof data !== 'string') return { ok: false, reason: 'backend-data', detail: 'BackendData is no text' }
  return data.length <= MOST_DATA
    ? { ok: true, value: data }
    : { ok: false, reason: 'backend-data', detail: `BackendData has ${data.length} characters, ${MOST_DATA} at most` }
}

export const extension: Backend<ExtensionConfig, string> = {
  type: 'extension',
  families: [4],
  configKeys: KEYS,
  parseConfig: (section) => {
    const commands = NAMES.map((name) => [name, commandOf(section.words(name, ''))] as const)
    return { commands: Object.fromEntries(commands) as ExtensionConfig['commands'] }
  },
  refuses: () => undefined,
  requires: ({ config }) =>
    NAMES.flatMap((name) => {
      const program = config.commands[name]?.words[0]
      const fix = 'give a program that is there, with its path, and that can be executed'
      return program === undefined ? [] : [{ type: 'program', key: `Backend.${name}`, names: [program], fix } as const]
    }),
  prepares: ({ commands: { PreStartupCommand: command } }) =>
    command === undefined ? [] : [{ type: 'command', name: NAME, key: 'Backend.PreStartupCommand', command }],
  mtu: ({ external }) => external.mtu,
  receivesDirectly: () => true,
  leaseData: () => undefined,
  leaseText: ({ prepared }) => prepared.get(NAME),
  parsePeerData: parseData,
  exclusive: () => undefined,
  base: () => [],
  helpers: (self) => {
    const { PostStartupCommand, SubnetAddCommand, SubnetRemoveCommand, ShutdownCommand } = self.config.commands
    return [
      {
        type: 'commands',
        name: NAME,
        environment: environmentOf(self),
        start: PostStartupCommand,
        add: SubnetAddCommand,
        remove: SubnetRemoveCommand,
        end: ShutdownCommand,
      },
    ]
  },
  helperPeer: (_, { subnet, publicAddress, data }) => ({
    type: 'commands',
    name: NAME,
    environment: { SUBNET: subnet, PUBLIC_IP: publicAddress },
    input: data,
  }),
  forPeer: () => ({ ok: true, value: [] }),
}
