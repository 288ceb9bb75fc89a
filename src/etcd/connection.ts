// The etcd3 client of a store: how it connects, what it does about a failing endpoint, when it is made again.
// Invariant: every call through it ends within its deadline, with a value or an EtcdError; nothing is retried here but
// another endpoint of the same cluster, a token that expired, and what may be done twice and was given too little time; the password is in no message.
import { InterceptingCall, type Interceptor, status as Status } from '@grpc/grpc-js'
import { isBrokenCircuitError } from 'cockatiel'
import { type Etcd3, GRPCUnavailableError } from 'etcd3'
import { EtcdError, messageOf } from '../errors.ts'
import { type EndpointChannel, createClient, proxyRefusal } from './channels.ts'
import { credentialsStamp, hasFiles, parseEndpoints, readCredentials, type StoreOptions } from './endpoints.ts'
import { isUnexplained, toEtcdError } from './failure.ts'
import { Patience } from './patience.ts'
import { proxyFor } from './proxy.ts'
import { Sockets } from './sockets.ts'
import { TokenSource, wantsToken, wantsUser } from './token.ts'

/** gRPC's. */
const OK = Status.OK as number

/** A member that lost its cluster ends the stream instead of being silent for ever (clientv3.WithRequireLeader). */
export const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      const own = metadata.clone()
      own.set('hasleader', 'true')
      next(own, listener)
    },
  })

/** The connections to one etcd cluster. */
export class EtcdConnection {
  readonly #options: StoreOptions
  readonly #urls: readonly string[]
  readonly #secure: boolean
  readonly #ways: readonly EndpointChannel[]
  readonly #tokens: TokenSource
  readonly #patience: Patience
  readonly #sockets: Sockets
  #client: Etcd3
  #stamp: string
  /** Why replaced TLS files are not in use. */
  #note: string | undefined
  #last: EtcdError | undefined

  constructor(options: StoreOptions) {
    const { urls, secure } = parseEndpoints(options.endpoints, hasFiles(options))
    this.#options = options
    this.#urls = urls
    this.#secure = secure
    this.#patience = new Patience(options.deadline ?? (urls.length > 1 ? 3_000 : 5_000))
    this.#ways = urls.map((url) => {
      const address = url.replace(/^https?:\/\//, '')
      return { address, secure: url.startsWith('https:'), proxy: proxyFor(address, process.env) }
    })
    this.#sockets = new Sockets(
      this.#ways.map(({ address, proxy }) => portOf(proxy?.address ?? address)),
      this.#patience,
    )
    this.#tokens = new TokenSource(options.username, options.password)
    this.#stamp = secure ? credentialsStamp(options) : ''
    this.#client = this.#connect()
  }

  /**
   * Makes a call, or opens a stream, with the client of the moment; a second time when its token had expired. Rejects
   * with EtcdError. `reach` says whether the call tries every endpoint, as unary ones do, or one. What may be done twice is
   * done again when etcd lives and only took too long, each time with more time.
   */
  async call<T>(
    send: (client: Etcd3) => Promise<T>,
    { reach = 'every', twice = false }: { readonly reach?: 'every' | 'one'; readonly twice?: boolean } = {},
  ): Promise<T> {
    let asked = 0
    const all = reach === 'every' || this.#urls.length === 1
    for (let late = 0; ;) {
      const [client, limit, received] = [this.#current(), this.limit(), this.#sockets.received()]
      try {
        await this.#tokens.prepare(client)
        return await send(client)
      } catch (thrown) {
        const error = this.failure(thrown)
        const overdue = error.why === 'deadline' && !isBrokenCircuitError(thrown)
        if (overdue && this.#answersSlowly({ client, limit, received, all }) && twice && ++late <= 2) continue
        if (wantsUser(thrown)) this.#tokens.forget()
        else if (!wantsToken(thrown)) throw error
        if (++asked > 1) throw error
      }
    }
  }

  /** Whether etcd answers, only too slowly for the limit of a call that tried `all` endpoints: then calls get more time. */
  #answersSlowly({ client, limit, received, all }: OverdueCall): boolean {
    const answers = this.#sockets.received() > received || this.#sockets.connecting()
    if (!all) return answers
    if (answers) this.#patience.tooShort(limit)
    // Nothing at all came in, and why is unknown: another connection may do better.
    else if (client === this.#client) this.#replace(this.#connect())
    return answers
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

  /** What a stream needs in addition to its own interceptors. */
  interceptors(): Interceptor[] {
    return this.#tokens.interceptors()
  }

  /** Anything thrown by a call or a stream as an EtcdError. */
  failure(thrown: unknown): EtcdError {
    const { variable, address } = this.#ways.find(({ proxy }) => proxy !== undefined)?.proxy ?? {}
    const through = variable === undefined ? undefined : `through the proxy ${address ?? ''} that ${variable} names`
    const refused = through !== undefined && isUnexplained(thrown) ? proxyRefusal() : undefined
    // No endpoint was tried: what happened when they were says more.
    if ((isBrokenCircuitError(thrown) || isUnexplained(thrown)) && refused === undefined && this.#last !== undefined)
      return this.#last
    const why = refused === undefined ? thrown : new GRPCUnavailableError(refused)
    return (this.#last = toEtcdError(why, this.#urls.join(','), { note: this.#note, through }))
  }

  /** How long a call or a short stream made now may take, in milliseconds. */
  limit(): number {
    return this.#patience.limit
  }

  /** When it has to be done, in Date.now()'s milliseconds. */
  deadline(): number {
    return Date.now() + this.limit()
  }

  /** A stream was given up after `limit` milliseconds. Of several endpoints it may have been that one. */
  late(limit: number): void {
    if (this.#urls.length === 1) this.#patience.tooShort(limit)
  }

  /** As Store.reconnect says. */
  reconnect(): void {
    this.#replace(this.#connect())
  }

  close(): void {
    this.#sockets.close()
    this.#client.close()
  }

  /** The client, made again when the TLS files were replaced. */
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
    return createClient(
      this.#ways,
      this.#secure ? readCredentials(this.#options) : undefined,
      ({ method, isStream }) => ({
        ...(isStream ? {} : { deadline: this.deadline() }),
        interceptors: [...(isStream ? [] : [this.#timed]), ...(method === 'authenticate' ? [] : this.interceptors())],
      }),
    )
  }

  /** Learns how long an answer takes, of each attempt by itself: what failed elsewhere before says nothing of it. */
  readonly #timed: Interceptor = (options, nextCall) => {
    const began = performance.now()
    return new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) => {
        next(metadata, {
          onReceiveStatus: (status, done) => {
            if ((status.code as number) === OK) this.#patience.answered(performance.now() - began)
            done(status)
          },
        })
      },
    })
  }
}

/** A call that had no answer within its limit (milliseconds); `received` counts the bytes that had come in before it. */
interface OverdueCall {
  readonly client: Etcd3
  readonly limit: number
  readonly received: number
  readonly all: boolean
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
