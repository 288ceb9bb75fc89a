// The etcd3 client over the endpoints of one cluster: gRPC's options, and what is done about an endpoint that fails.
// Invariant: no two clients share a connection; a failing endpoint is left alone for a while when there are others.
import type { IBackoff, IPolicy } from 'cockatiel'
import { circuitBreaker, ConsecutiveBreaker, handleType, handleWhen, noop, retry } from 'cockatiel'
import { Etcd3, GRPCDeadlineExceededError, GRPCUnavailableError, type IOptions, isRecoverableError } from 'etcd3'
import type { Credentials } from './endpoints.ts'
import { isTooLarge } from './failure.ts'
import { MOST_ANSWER_BYTES } from './pages.ts'
import { PING_AFTER } from './sockets.ts'

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
  // Go's flanneld takes a proxy for TLS alone; an `http_proxy` meant for image pulls must not catch etcd.
  'grpc.enable_http_proxy': process.env['https_proxy'] ? 1 : 0,
}

/** A failing endpoint is left alone so long, in milliseconds. */
const LEFT_ALONE_MS = 2_000

/** Clients made so far by this process: two stores of one cluster must not share a connection either. */
let made = 0

/** Makes a client. It connects with the first call. */
export function createClient(
  urls: readonly string[],
  credentials: Credentials | undefined,
  defaultCallOptions: NonNullable<IOptions['defaultCallOptions']>,
): Etcd3 {
  const several = urls.length > 1
  return new Client({
    hosts: [...urls],
    ...(credentials === undefined ? {} : { credentials }),
    // grpc-js shares connections between channels with equal options: another number, another connection.
    grpcOptions: { ...GRPC_OPTIONS, 'flanneld.connection': made++ },
    defaultCallOptions,
    faultHandling: {
      global: several ? otherEndpoint(urls.length) : noop,
      host: () => (several ? breaker() : noop),
    },
  })
}

/** What etcd3 keeps for an endpoint; private there (lib/connection-pool). */
interface Host {
  closed: boolean
  resetAllServices: () => void
  close: () => void
}

/** etcd3 throws an endpoint's connection away after every failed call, a late answer too: set up anew it would be late again. */
class Client extends Etcd3 {
  constructor(options: IOptions) {
    super(options)
    for (const host of (this.pool as unknown as { readonly hosts: readonly Host[] }).hosts) {
      const closeChannels = host.resetAllServices.bind(host)
      host.resetAllServices = () => undefined
      host.close = () => {
        closeChannels()
        host.closed = true
      }
    }
  }
}

/** Tries each endpoint once. */
function otherEndpoint(count: number): IPolicy {
  return retry(handleType(GRPCUnavailableError).orType(GRPCDeadlineExceededError), { maxAttempts: count - 1 })
}

/** Leaves an endpoint alone for a while after a failure, so that a frozen member costs one call now and then, not each. */
function breaker(): IPolicy {
  const breaker = new ConsecutiveBreaker(1)
  return circuitBreaker(
    handleWhen((error) => isRecoverableError(error) && !isTooLarge(error)),
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
