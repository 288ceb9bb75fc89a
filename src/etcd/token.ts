// The token used instead of user name and password (etcd's simple tokens live 5 minutes after their last use).
// Not etcd3's own: that one makes a connection per authentication, never closes it, and asks once per call that failed.
// Invariant: one authentication at a time, however many calls wait for it; the password leaves this file only in that request.
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js'
import type { Etcd3 } from 'etcd3'
import { messageOf } from '../errors.ts'

// etcd3 repeats a call for ever on etcd's own text.
const EXPIRED = 'etcdserver: auth token expired'

/** Tokens of one user; without a user there are none. */
export class TokenSource {
  readonly #username: string | undefined
  readonly #password: string
  #asking: Promise<string> | undefined
  #token: string | undefined

  constructor(username: string | undefined, password: string | undefined) {
    this.#username = username === '' ? undefined : username
    this.#password = password ?? ''
  }

  /** Makes sure that there is a token. Rejects with what etcd3 throws. */
  async prepare(client: Etcd3): Promise<void> {
    if (this.#username === undefined) return
    this.#asking ??= client.auth
      .authenticate({ name: this.#username, password: this.#password })
      .then((reply) => (this.#token = reply.token))
      .catch((error: unknown) => {
        // As Go's client: a user given to an etcd without users is no error.
        if (messageOf(error).includes('authentication is not enabled')) return ''
        this.#asking = undefined
        throw error
      })
    await this.#asking
  }

  /** What adds the token of the moment to a call. */
  interceptors(): Interceptor[] {
    const token = this.#token
    if (token === undefined) return []
    return [
      (options, nextCall) =>
        new InterceptingCall(nextCall(options), {
          start: (metadata, _listener, next) => {
            const own = metadata.clone()
            own.set('token', token)
            next(own, {
              onReceiveStatus: (status, done) => {
                if (!status.details.includes('invalid auth token')) {
                  done(status)
                  return
                }
                if (this.#token === token) this.forget()
                done({ ...status, details: EXPIRED })
              },
            })
          },
        }),
    ]
  }

  /** Makes the next call ask for a token. */
  forget(): void {
    this.#token = undefined
    this.#asking = undefined
  }
}

/** Whether a call failed for want of a token that is still good, so that the same call may succeed with a new one. */
export function wantsToken(error: unknown): boolean {
  return messageOf(error).includes(EXPIRED)
}

/** Whether a call failed because users were introduced after we found that there are none. */
export function wantsUser(error: unknown): boolean {
  return messageOf(error).includes('user name is empty')
}
