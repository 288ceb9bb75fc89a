// `flanneld docker-network [NAME]`: a user-defined bridge network for the leased subnet, without restarting dockerd.
// Invariant: a network that exists is never changed nor removed: its containers are on it. Running twice is calm.
import { OperatorError, show } from '../../errors.ts'
import { parseGoBoolean, parseGoFlags } from '../../options/go-flags.ts'
import { type Engine, dockerSocket, field, openEngine } from '../docker-engine.ts'
import { type NetworkRequest, differences, networkFor, refuseOverlap } from '../docker-network-plan.ts'
import { SUBNET_FILE, readLeasedSubnet } from '../leased-subnet.ts'

/** What `flanneld docker-network -help` prints. */
const DOCKER_NETWORK_USAGE = `Usage: flanneld docker-network [-subnet-file FILE] [-docker-socket PATH] [-json] [NAME]

Creates the user-defined bridge network NAME (default flannel) for the leased subnet, with its gateway, MTU and
masquerading, or checks the one there is: status 0 when it is right, 1 with a line for each difference when not.

  -subnet-file FILE    subnet.env (default ${SUBNET_FILE})
  -docker-socket PATH  the engine's socket (default: of DOCKER_HOST, else /var/run/docker.sock)
  -json                print it as JSON (docs/json.md)
`

const FLAGS: ReadonlyMap<string, 'boolean' | 'value'> = new Map([
  ['subnet-file', 'value'],
  ['docker-socket', 'value'],
  ['json', 'boolean'],
  ['help', 'boolean'],
  ['h', 'boolean'],
])

/** The environment, as process.env. */
type Environment = Readonly<Record<string, string | undefined>>

/** The command line, decoded. */
interface Asked {
  readonly name: string
  readonly subnetFile: string
  readonly socket: string
  readonly json: boolean
}

/** Runs the verb. Throws OperatorError. */
export async function dockerNetwork(
  args: readonly string[],
  env: Environment,
  print: (text: string) => void,
): Promise<void> {
  const asked = askedOf(args, env)
  if (asked === 'help') {
    print(DOCKER_NETWORK_USAGE)
    return
  }
  const { name } = asked
  const lease = await readLeasedSubnet(asked.subnetFile)
  const wanted = networkFor(name, lease)
  const { result, wrong, containers } = await ensure(await openEngine(asked.socket), wanted)
  const pools = wanted.IPAM.Config.map(({ Subnet, Gateway }) => ({ subnet: Subnet, gateway: Gateway }))
  const { mtu } = lease
  const value = { name, result, ...pools[0], pools, mtu, differences: wrong, containers }
  if (asked.json) print(`${JSON.stringify(value)}\n`)
  else if (wrong.length === 0) {
    const subnets = pools.map(({ subnet, gateway }) => `subnet ${subnet}, gateway ${gateway}`)
    print(`docker network ${name}: ${result}: ${subnets.join(', ')}, mtu ${mtu}\n`)
  }
  if (wrong.length === 0) return
  throw new OperatorError(
    `docker network ${name}: differs: ${wrong.join('; ')}: ` +
      `${containers > 0 ? `disconnect its ${containers} containers, ` : ''}run "docker network rm ${name}" and this again`,
  )
}

/** Flags may stand before and after the name. */
function askedOf(args: readonly string[], env: Environment): Asked | 'help' {
  const before = parseGoFlags(args, FLAGS)
  const [name = 'flannel', ...further] = before.rest
  const after = parseGoFlags(further, FLAGS)
  const values = new Map([...before.values, ...after.values])
  const last = (flag: string): string | undefined => values.get(flag)?.at(-1)
  if (values.has('help') || values.has('h')) return 'help'
  const [surplus] = after.rest
  if (surplus !== undefined) throw new OperatorError(`docker-network: ${JSON.stringify(surplus)}: one name at a time`)
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(name) || /^(bridge|host|none)$/.test(name))
    throw new OperatorError(`docker-network: ${JSON.stringify(name)}: not a name for a network`)
  return {
    name,
    subnetFile: last('subnet-file') ?? env['FLANNELD_SUBNET_FILE'] ?? SUBNET_FILE,
    socket: last('docker-socket') ?? dockerSocket(env['DOCKER_HOST']),
    json: parseGoBoolean(last('json') ?? 'false') === true,
  }
}

/** What became of a network. */
interface Ensured {
  readonly result: 'created' | 'right' | 'differs'
  /** As differences() returns them. */
  readonly wrong: readonly string[]
  /** How many are on one that differs. */
  readonly containers: number
}

async function ensure(engine: Engine, wanted: NetworkRequest): Promise<Ensured> {
  const listed = await engine.get('/networks')
  const networks: readonly unknown[] = Array.isArray(listed) ? listed : []
  const found = networks.find((network) => field(network, 'Name') === wanted.Name)
  if (found === undefined) {
    const subnets = wanted.IPAM.Config.map(({ Subnet }) => Subnet)
    refuseOverlap(networks, wanted.Name, subnets)
    await engine.post('/networks/create', wanted)
    return { result: 'created', wrong: [], containers: 0 }
  }
  const wrong = differences(found, wanted)
  if (wrong.length === 0) return { result: 'right', wrong, containers: 0 }
  const id = field(found, 'Id')
  const path = `/networks/${typeof id === 'string' ? encodeURIComponent(id) : show(id)}`
  const attached = field(await engine.get(path), 'Containers')
  const containers = typeof attached === 'object' && attached !== null ? Object.keys(attached).length : 0
  return { result: 'differs', wrong, containers }
}
