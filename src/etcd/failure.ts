// What a failed call says, as one of the few causes a person can act on.
// etcd3 loses the gRPC status code, so its error classes and the message are what there is to go by.
import {
  castGrpcError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from 'etcd3'
import { EtcdError, type EtcdCause, messageOf } from '../errors.ts'
import { type Alarm, shortTextOf } from './alarms.ts'

const TLS = /certificate|SSL routines|TLS|EPROTO|altnames|self.signed|unable to verify|wrong version number/i
const AUTH = /etcdserver: (user name|authentication|invalid auth|auth|permission|root|revision of auth)/i

/** What Node says of a connection that the other end does not want. */
const RESET = 'read ECONNRESET'

/** What to do about a cause that etcd, OpenSSL and Node name in their own words only. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^(Failed to connect|Protocol error)/, 'closed at once; is this etcd, and is it plain http?'],
  [/disconnected before secure TLS|wrong version number/, 'is this etcd, and does it speak https?'],
  [/unable to (verify|get)|self.signed/i, 'name the authority that signed it with -etcd-cafile'],
  [/certificate required|bad certificate/i, 'show etcd a certificate it knows with -etcd-certfile and -etcd-keyfile'],
  [/invalid user ID or password/, 'check -etcd-username and -etcd-password'],
  [/user name is empty/, 'give -etcd-username and -etcd-password'],
  [/authentication is not enabled/, 'leave out -etcd-username, or enable authentication in etcd'],
  [
    /permission denied/,
    'its role has to read -etcd-prefix and to write the subnets/ in it; for more, give -etcd-username of a user who may',
  ],
]

/** What etcd says of a call that an alarm forbids. */
const ALARMS: readonly (readonly [RegExp, Alarm])[] = [
  [/database space exceeded/, 'NOSPACE'],
  [/corrupt cluster/, 'CORRUPT'],
]

/** What else is to be said of a failure. */
export interface Circumstances {
  /** Why new TLS files are not in use, say. */
  readonly note?: string | undefined
  /** The proxy in between, in words. */
  readonly through?: string | undefined
}

/** Anything a call threw, as an EtcdError. */
export function toEtcdError(thrown: unknown, endpoint: string, { note, through }: Circumstances = {}): EtcdError {
  if (thrown instanceof EtcdError) return thrown
  const text = detailOf(messageOf(thrown), endpoint)
  // Errors of streams are gRPC's own, those of calls are etcd3's.
  const why = causeOf(thrown instanceof Error ? castGrpcError(thrown) : thrown, text, endpoint)
  const detail = why === 'deadline' ? 'no answer in time' : text
  // What etcd itself answered has nothing to do with the path to it.
  const way = ['unreachable', 'tls', 'deadline'].includes(why) ? through : undefined
  const also = [note, way].filter((words) => words !== undefined)
  return new EtcdError(why, endpoint, also.length === 0 ? detail : `${detail} (${also.join('; ')})`)
}

/** Whether a call or a stream failed because an answer was larger than we take: gRPC's own limit, no word of etcd's. */
export function isOversized(thrown: unknown): boolean {
  return (
    thrown instanceof Error &&
    castGrpcError(thrown) instanceof GRPCResourceExhastedError &&
    !thrown.message.includes('etcdserver: ')
  )
}

/** Whether a call failed for want of a connection and gRPC no longer knows why there is none. */
export function isUnexplained(thrown: unknown): boolean {
  return /^(\d+ [A-Z_]+: )?No connection established\. Last error: (null|undefined)\b/.test(messageOf(thrown))
}

/** The gRPC message without its wrapping: `connect ECONNREFUSED 10.0.0.1:2379`. */
function detailOf(message: string, endpoint: string): string {
  const text = message
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/ ?Resolution note: ?$/s, '')
    .replace(/^No connection established\. Last error: (null|undefined)\b/, 'no connection')
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/^Received RST_STREAM with code \d+ triggered by internal client error: /, '')
    .replace(/^Received RST_STREAM with code \d+$/, 'the connection was given up')
    .replace(/[0-9A-F]{16}:error:[0-9A-F]+:(SSL routines:[^:]*:[^:]*):[^\s]*/, '$1')
    // Node's advice is for those who start Node.
    .replace(/[;,.]?\s*(if the root CA is installed locally, )?try running Node\.js with [-\w]+/i, '')
    .replace(/\(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, '')
    .replace(/\s+/g, ' ')
    .replace(/[\s.]+$/, '')
  const advice = ADVICE.find(([pattern]) => pattern.test(text))?.[1]
  const alarm = ALARMS.find(([pattern]) => pattern.test(text))?.[1]
  if (alarm !== undefined) return `${text}: ${shortTextOf(alarm, endpoint)}`
  if (advice !== undefined) return `${text}: ${advice}`
  // What a server that speaks the other protocol does, when it does not say so first.
  if (text === 'read ECONNRESET')
    return `${text}: does it speak ${endpoint.startsWith('https') ? 'https' : 'plain http'}?`
  return text === '' ? 'no reason given' : text
}

function causeOf(thrown: unknown, text: string, endpoint: string): EtcdCause {
  if (thrown instanceof GRPCDeadlineExceededError) return 'deadline'
  if (
    thrown instanceof EtcdAuthenticationFailedError ||
    thrown instanceof EtcdInvalidAuthTokenError ||
    thrown instanceof EtcdPermissionDeniedError ||
    thrown instanceof GRPCUnauthenticatedError ||
    AUTH.test(text)
  ) {
    return 'auth'
  }
  if (
    /etcdserver: (no leader|leader changed|request timed out|server stopped|too many requests|not capable)/.test(text)
  ) {
    return 'unavailable'
  }
  if (/etcdserver: /.test(text)) return 'refused'
  // A server that speaks plain HTTP only may reset what it takes for garbage before it says a word.
  if (TLS.test(text) || (endpoint.startsWith('https') && text.startsWith(RESET))) return 'tls'
  if (thrown instanceof GRPCUnavailableError) return 'unreachable'
  // A reset stream, a cancelled call, an open breaker: the connection went away under us.
  return /CANCELLED|INTERNAL|circuit|reset|closed|dropped|ECONN|EPIPE/i.test(messageOf(thrown))
    ? 'unreachable'
    : 'refused'
}
