// The etcd3 client of a store: how it connects, what it does about a failing endpoint, when it is made anew.
// Invariant: every call through it ends within its deadline, with a value or an EtcdError; nothing is retried here but
// another endpoint of the same cluster; the password is in no message.
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js'
import {
  type IBackoff,
  type IPolicy,
  circuitBreaker,
  ConsecutiveBreaker,
  handleType,
  handleWhen,
  isBrokenCircuitError,
  noop,
  retry,
} from 'cockatiel'
import { Etcd3, GRPCDeadlineExceededError, GRPCUnavailableError, isRecoverableError } from 'etcd3'
import { EtcdError, messageOf } from '../errors.ts'
import { credentialsStamp, parseEndpoints, readCredentials, type StoreOptions } from './endpoints.ts'
import { isTooLarge, toEtcdError } from './failure.ts'
import { limitHandshakes } from './handshake.ts'
import { MOST_ANSWER_BYTES } from './pages.ts'
import { TokenSource, wantsToken, wantsUser } from './token.ts'

const GRPC_OPTIONS = {
  'grpc.max_receive_message_length': MOST_ANSWER_BYTES,
  // A silent connection is given up after 11 s. etcd refuses pings less than 5 s apart (--grpc-keepalive-min-time).
  'grpc.keepalive_time_ms': 8_000,
  'grpc.keepalive_timeout_ms': 3_000,
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

/** A member that lost its cluster ends the stream instead of being silent for ever (clientv3.WithRequireLeader). */
export const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      const own = metadata.clone()
      own.set('hasleader', 'true')
      next(own, listener)
    },
  })

/** Clients made so far by this process: two stores of one cluster must not share a connection either. */
let made = 0

/** The connections to one etcd cluster. */
export class Connection {
  readonly #options: StoreOptions
  readonly #urls: readonly string[]
  readonly #secure: boolean
  readonly #tokens: TokenSource
  #client: Etcd3
  #stamp: string
  /** Why replaced TLS files are not in use. */
  #note: string | undefined
  #last: EtcdError | undefined

  constructor(options: StoreOptions) {
    const { urls, secure } = parseEndpoints(options.endpoints)
    this.#options = options
    this.#urls = urls
    this.#secure = secure
    limitHandshakes(urls.map((url) => Number(url.slice(url.lastIndexOf(':') + 1))))
    this.#tokens = new TokenSource(options.username, options.password)
    this.#stamp = secure ? credentialsStamp(options) : ''
    this.#client = this.#connect()
  }

  /**
   * Makes a call, or opens a stream, with the client of the moment; a second time when its token had expired. Rejects
   * with EtcdError. `reach` says whether the call tries every endpoint, as unary ones do, or one.
   */
  async call<T>(send: (client: Etcd3) => Promise<T>, reach: 'every' | 'one' = 'every'): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = this.#current()
      try {
        await this.#tokens.prepare(client)
        return await send(client)
      } catch (thrown) {
        const error = this.failure(thrown)
        if (error.why === 'deadline' && client === this.#client && (reach === 'every' || this.#urls.length === 1)) {
          // What holds it up is unknown, so begin anew with another connection.
          this.#replace(this.#connect())
        }
        if (wantsUser(thrown)) this.#tokens.forget()
        else if (!wantsToken(thrown)) throw error
        if (attempt > 1) throw error
      }
    }
  }

  /** Repeats what one endpoint failed to do, once for each other one: etcd3 does that for unary calls alone. */
  async elsewhere<T>(attempt: () => Promise<T>): Promise<T> {
    for (let others = this.#urls.length - 1; ; others--) {
      try {
        return await attempt()
      } catch (error) {
        const theirs = error instanceof EtcdError && ['unreachable', 'unavailable', 'deadline'].includes(error.why)
        if (!theirs || others === 0) throw error
      }
    }
  }

  /** What a stream needs besides interceptors of its own. */
  interceptors(): Interceptor[] {
    return this.#tokens.interceptors()
  }

  /** Anything thrown by a call or a stream as an EtcdError. */
  failure(thrown: unknown): EtcdError {
    // No endpoint was tried: what happened when they were says more.
    if (isBrokenCircuitError(thrown) && this.#last !== undefined) return this.#last
    return (this.#last = toEtcdError(thrown, this.#urls.join(','), this.#note))
  }

  /** When a call or a short stream made now has to be done, in Date.now()'s milliseconds. */
  deadline(): number {
    return Date.now() + (this.#options.deadline ?? (this.#urls.length > 1 ? 3_000 : 5_000))
  }

  /** As Store.reconnect says. */
  reconnect(): void {
    this.#replace(this.#connect())
  }

  close(): void {
    this.#client.close()
  }

  /** The client, made anew when the TLS files were replaced. */
  #current(): Etcd3 {
    if (!this.#secure) return this.#client
    const stamp = credentialsStamp(this.#options)
    if (stamp === this.#stamp) return this.#client
    try {
      this.#replace(this.#connect())
      this.#stamp = stamp
      this.#note = undefined
    } catch (error) {
      this.#note = messageOf(error)
    }
    return this.#client
  }

  /** Streams of the old client live on until they end. */
  #replace(fresh: Etcd3): void {
    this.#client.close()
    this.#client = fresh
  }

  #connect(): Etcd3 {
    const several = this.#urls.length > 1
    return new Etcd3({
      hosts: [...this.#urls],
      ...(this.#secure ? { credentials: readCredentials(this.#options) } : {}),
      // grpc-js shares connections between channels with equal options: another number, another connection.
      grpcOptions: { ...GRPC_OPTIONS, 'flanneld.connection': made++ },
      defaultCallOptions: (context) => ({
        ...(context.isStream ? {} : { deadline: this.deadline() }),
        interceptors: context.method === 'authenticate' ? [] : this.interceptors(),
      }),
      faultHandling: {
        global: several ? otherEndpoint(this.#urls.length) : noop,
        host: () => (several ? breaker() : noop),
      },
    })
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
