// The errors an operator may read. Wording: lower case, `what: subject: why`, with the offending value.

/** Something the operator has to mend (a flag, a file, a config): printed as one line, without a stack. */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError'
}

/** A value in the network config breaks a rule. `path` is the key's path, e.g. `Backend.Port`. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError'
  readonly path: string
  readonly value: unknown
  readonly rule: string

  constructor(path: string, value: unknown, rule: string) {
    super(`network config: ${path}: ${show(value)}: ${rule}`)
    this.path = path
    this.value = value
    this.rule = rule
  }
}

/** The kernel refused a request. `errno` is positive, as in errno(3); `code` its name, e.g. `EEXIST`. */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  readonly errno: number
  readonly code: string

  constructor(what: string, errno: number, code: string, detail?: string) {
    super(`${what}: ${code}${detail === undefined || detail === '' ? '' : ` (${detail})`}`)
    this.errno = errno
    this.code = code
  }
}

/** Why etcd did not answer as wanted, as one of few causes a person can act on. */
export type EtcdCause = 'unreachable' | 'tls' | 'auth' | 'deadline' | 'unavailable' | 'refused'

/** A call to etcd failed. `endpoint` is a URL without credentials. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  readonly why: EtcdCause
  readonly endpoint: string

  constructor(why: EtcdCause, endpoint: string, detail: string) {
    super(`etcd: ${endpoint}: ${detail}`)
    this.why = why
    this.endpoint = endpoint
  }
}

/** The message of anything thrown, for a log line. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** A value as it may stand in a message: JSON, cut at 80 characters. */
export function show(value: unknown): string {
  const text = value === undefined ? 'undefined' : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
