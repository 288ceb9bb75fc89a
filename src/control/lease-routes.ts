// The control routes about what is in etcd: leases, reservations and the network config. The daemon serves them on its
// socket; a verb that finds no daemon serves them to itself over its own connection.
import { type Subnets, primarySubnet } from '../lease/lease.ts'
import { BACKENDS } from '../../backends/index.ts'
import { OperatorError, show } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { atMost } from '../http/handlers.ts'
import type { Answer, Handler, Routes } from '../http/serve-routes.ts'
import { type Address, parseAddress } from '../ip/address.ts'
import { type Prefix, parsePrefix, prefixFamily } from '../ip/prefix.ts'
import { readLeases } from '../view/leases.ts'
import type { SubnetRange } from '../lease/allocate.ts'
import { releaseReservation, reserve } from '../lease/reserve.ts'
import { readmit, shutOut } from '../lease/shut-out.ts'
import { parseNetworkConfig } from '../network-config/parse.ts'
import { type RunningDaemon, primarySession, storeIn, whenRunning } from '../view/running-daemon.ts'
import { checkConfig, getConfig, setConfig } from '../network-config/stored-config.ts'
import { type SomeFamily, byFamily, some, valuesOf } from '../ip/by-family.ts'

/** What the routes are served over. */
export interface LeaseContext {
  readonly store: Store
  readonly prefix: string
  /** The address of a peer that is kept although its lease is gone. */
  readonly peerAt?: (subnet: Prefix) => Address | undefined
  /** The subnet of this host, where it is known. */
  readonly own: Prefix | undefined
  /** Gets a line for each write. */
  readonly wrote: (kind: 'lease' | 'config', text: string) => void
}

/** How many requests of one kind run at a time: each reads etcd. */
const AT_A_TIME = 4

/** The routes, over what `context` gives at each request; it may throw OperatorError. */
export function leaseRoutes(context: () => LeaseContext): Routes {
  const routes = handlersOver(context)
  return new Map(Array.from(routes, ([route, handler]) => [route, atMost(AT_A_TIME, handler)]))
}

function handlersOver(context: () => LeaseContext): Routes {
  return new Map([...leaseHandlers(context), ...shutOutHandlers(context), ...configHandlers(context)])
}

type Entries = readonly (readonly [route: string, handler: Handler])[]

function leaseHandlers(context: () => LeaseContext): Entries {
  return [
    [
      'GET /v1/leases',
      async ({ query }) => {
        const { store, prefix, own } = context()
        return json(await readLeases(store, prefix, { own, times: query.get('times') !== 'false' }))
      },
    ],
    [
      'POST /v1/reserve',
      async ({ body }) => {
        const { store, prefix, wrote } = context()
        const subnets = subnetsIn(body, 'reserve')
        const text = field(body, 'publicAddress')
        const address = typeof text === 'string' ? parseAddress(text) : undefined
        if (address === undefined) throw new OperatorError(`reserve: ${show(text)}: must be an IP address`)
        const done = await reserve(store, prefix, { subnets, address }, rangesIn)
        if (done.was !== 'reservation') wrote('lease', `${done.subnets.join(' and ')} reserved for ${address}`)
        return json(done)
      },
    ],
    [
      'POST /v1/release',
      async ({ body }) => {
        const { store, prefix, wrote } = context()
        const done = await releaseReservation(store, prefix, subnetIn(body, 'release'))
        wrote('lease', `reservation of ${done.subnet} released`)
        return json(done)
      },
    ],
  ]
}

function shutOutHandlers(context: () => LeaseContext): Entries {
  return [
    [
      'POST /v1/shut-out',
      async ({ body }) => {
        const { store, prefix, wrote, peerAt } = context()
        const done = await shutOut(store, prefix, textIn(body, 'target', 'shut-out'), peerAt ?? (() => undefined))
        wrote('lease', `${done.address} shut out, ${done.deleted.length} leases deleted`)
        return json(done)
      },
    ],
    [
      'POST /v1/readmit',
      async ({ body }) => {
        const { store, prefix, wrote } = context()
        const done = await readmit(store, prefix, textIn(body, 'address', 'readmit'))
        wrote('lease', `${done.address} readmitted`)
        return json(done)
      },
    ],
  ]
}

function configHandlers(context: () => LeaseContext): Entries {
  const config = (): Parameters<typeof getConfig>[0] => ({ ...context(), backends: BACKENDS })
  return [
    ['GET /v1/config', async () => json(await getConfig(config()))],
    ['POST /v1/config/check', async ({ body }) => json(await checkConfig(configIn(body), config()))],
    [
      'PUT /v1/config',
      async ({ body }) => {
        const revision = field(body, 'revision')
        const asked = {
          force: field(body, 'force') === true,
          revision: typeof revision === 'string' ? revision : undefined,
        }
        const done = await setConfig(configIn(body), asked, config())
        if (done.written) context().wrote('config', `network config written at revision ${done.revision}`)
        return json(done)
      },
    ],
  ]
}

/** The context of a running daemon: its own connection. */
export function leaseContextOf(daemon: RunningDaemon): LeaseContext {
  const { options, events } = daemon
  const store = storeIn(daemon)
  const running = whenRunning(daemon)
  const session = running && primarySession(running)
  if (store === undefined) throw new OperatorError('etcd: the daemon is not connected yet')
  const wrote: LeaseContext['wrote'] = (kind, text) => {
    events.happened(kind, text)
  }
  const peerAt = (subnet: Prefix): Address | undefined => session?.peers.get(subnet)?.publicAddress
  return { store, prefix: options.etcdPrefix, own: session && primarySubnet(session.inputs), wrote, peerAt }
}

function json(value: unknown): Answer {
  return { status: 200, json: value }
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>)[name] : undefined
}

function textIn(body: unknown, name: string, verb: string): string {
  const text = field(body, name)
  if (typeof text === 'string') return text
  throw new OperatorError(`${verb}: ${show(text)}: must be an address`)
}

function subnetIn(body: unknown, verb: string): Prefix {
  const text = field(body, 'subnet')
  const subnet = typeof text === 'string' ? parsePrefix(text) : undefined
  if (subnet === undefined) throw new OperatorError(`${verb}: ${show(text)}: must be a subnet, such as 10.2.3.0/24`)
  return subnet
}

/** One subnet, or one of each family with a comma between them. */
function subnetsIn(body: unknown, verb: string): Subnets {
  const text = field(body, 'subnet')
  const parts = typeof text === 'string' ? text.split(',') : [text]
  const named = parts.map((subnet) => subnetIn({ subnet }, verb))
  const subnets = some(byFamily((family) => named.find((subnet) => prefixFamily(subnet) === family)))
  if (subnets === undefined || valuesOf(subnets).length !== named.length)
    throw new OperatorError(`${verb}: ${show(text)}: must be one subnet, or one of IPv4 and one of IPv6`)
  return subnets
}

/** The config as text, so that an error in it has a line and a column. A JSON value is accepted too. */
function configIn(body: unknown): string {
  const value = field(body, 'config')
  if (value === undefined) throw new OperatorError('config: the request has none')
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value)
  } catch {
    throw new OperatorError(`config: ${show(value)}: nested too deep: a config has two levels`)
  }
}

/** The subnets that may be leased by a stored config. */
function rangesIn(config: string | undefined): SomeFamily<SubnetRange> {
  if (config === undefined)
    throw new OperatorError('reserve: no network config yet: store one with flanneld config set')
  return parseNetworkConfig(config).config.ranges
}
