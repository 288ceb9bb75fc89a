// The etcd3 client over the endpoints of one cluster: gRPC's options, and what is done about an endpoint that fails.
// Invariant: no two clients share a connection; a failing endpoint is left alone for a while when there are others.
import { type ChannelCredentials, type ChannelOptions, setLogger } from '@grpc/grpc-js'
import {
  circuitBreaker,
  ConsecutiveBreaker,
  handleType,
  handleWhen,
  type IBackoff,
  type IPolicy,
  noop,
  retry,
} from 'cockatiel'
import { Etcd3, GRPCDeadlineExceededError, GRPCUnavailableError, type IOptions, isRecoverableError } from 'etcd3'
import type { Credentials } from './endpoints.ts'
import { isOversized } from './failure.ts'
import { MOST_ANSWER_BYTES } from './pages.ts'
import type { Proxy } from './proxy.ts'
import { PING_AFTER } from './sockets.ts'
import { channelCredentials } from './tls.ts'

const GRPC_OPTIONS = {
  'grpc.max_receive_message_length': MOST_ANSWER_BYTES,
  // What pings are for is that something comes in: sockets.ts sees whether it does.
  'grpc.keepalive_time_ms': PING_AFTER,
  'grpc.keepalive_timeout_ms': 120_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.dns_min_time_between_resolutions_ms': 2_000,
  'grpc.enable_channelz': 0,
  // What gRPC makes of the proxy variables is not what Go makes of them: proxy.ts decides.
  'grpc.enable_http_proxy': 0,
}

/** How long a failing endpoint is not tried again, in milliseconds. */
const LEFT_ALONE_MS = 2_000

/** Clients made so far by this process: two stores of one cluster must not share a connection either. */
let made = 0

/** One endpoint, and how it is reached. */
export interface EndpointChannel {
  /** `host:port`. */
  readonly address: string
  readonly secure: boolean
  readonly proxy: Proxy | undefined
}

/** Makes a client. It connects with the first call. `credentials` are for those ways that are secure. */
export function createClient(
  ways: readonly EndpointChannel[],
  credentials: Credentials | undefined,
  defaultCallOptions: NonNullable<IOptions['defaultCallOptions']>,
): Etcd3 {
  const several = ways.length > 1
  const options = {
    // Without their schemes: etcd3 knows one set of credentials for all.
    hosts: ways.map(({ address }) => address),
    // grpc-js shares connections between channels with equal options: another number, another connection.
    grpcOptions: { ...GRPC_OPTIONS, 'flanneld.connection': made++ },
    defaultCallOptions,
    faultHandling: {
      global: several ? otherEndpoint(ways.length) : noop,
      host: () => (several ? breaker() : noop),
    },
  }
  return new Client(options, ways, credentials && channelCredentials(credentials))
}

/** What etcd3 keeps for an endpoint; private there (lib/connection-pool). */
interface Host {
  host: string
  channelCredentials: ChannelCredentials
  channelOptions: ChannelOptions
  closed: boolean
  resetAllServices: () => void
  close: () => void
}

class Client extends Etcd3 {
  constructor(options: IOptions, ways: readonly EndpointChannel[], secure: ChannelCredentials | undefined) {
    super(options)
    const { hosts } = this.pool as unknown as { readonly hosts: readonly Host[] }
    for (const [at, host] of hosts.entries()) {
      const way = ways[at]
      if (way === undefined) continue
      if (way.secure && secure !== undefined) host.channelCredentials = secure
      if (way.proxy !== undefined) leadThrough(host, way.address, way.proxy)
      keepConnection(host)
    }
  }
}

/** etcd3 throws an endpoint's connection away after every failed call, after a late answer too: a new connection would be late again. */
function keepConnection(host: Host): void {
  const closeChannels = host.resetAllServices.bind(host)
  host.resetAllServices = () => undefined
  host.close = () => {
    closeChannels()
    host.closed = true
  }
}

/** As grpc-js does for its own proxies (lib/http_proxy). */
function leadThrough(host: Host, address: string, { address: proxy, credentials }: Proxy): void {
  host.host = proxy
  host.channelOptions = {
    ...host.channelOptions,
    'grpc.default_authority': address,
    'grpc.http_connect_target': `dns:${address}`,
    ...(credentials === undefined ? {} : { 'grpc.http_connect_creds': credentials }),
  }
}

/** The last failure of a proxy that gRPC reported: it reports them to its log alone. */
let refusal: string | undefined
setLogger({
  error: (line: unknown) => {
    const [, why] = /(?:to proxy \S+ with error|through proxy \S+ with status) (.*)/.exec(String(line)) ?? []
    if (why !== undefined) refusal = /^\d+$/.test(why) ? `HTTP status ${why}` : why
  },
  info: () => undefined,
  debug: () => undefined,
})

/** Why a proxy did not let us through; undefined when none did so. */
export function proxyRefusal(): string | undefined {
  return refusal
}

/** Tries each endpoint once. */
function otherEndpoint(count: number): IPolicy {
  return retry(handleType(GRPCUnavailableError).orType(GRPCDeadlineExceededError), { maxAttempts: count - 1 })
}

/** Leaves an endpoint alone for a while after a failure, so that a frozen member costs one call now and then, not each. */
function breaker(): IPolicy {
  const breaker = new ConsecutiveBreaker(1)
  return circuitBreaker(
    handleWhen((error) => isRecoverableError(error) && !isOversized(error)),
    { halfOpenAfter: { next: fromNow }, breaker },
  )
}

/**
 * cockatiel compares the wall clock's difference to `duration`: a clock set back a day would keep every endpoint out for
 * that long. So the duration is all or nothing, by the time that really passed.
 */
function fromNow(): IBackoff<unknown> {
  const until = performance.now() + LEFT_ALONE_MS
  return {
    get duration() {
      return performance.now() < until ? Infinity : -Infinity
    },
    next: fromNow,
  }
}
