// The errors an operator may read. Wording: lower case, `what: subject: why`, with the offending value.
import { MOST_LINE, cut, printable, visible } from './text/plain-text.ts'

/** Something the operator has to correct (a flag, a file, a config): printed as one line, without a stack. */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError'
}

/** A value in the network config breaks a rule. `path` is the key's path, e.g. `Backend.Port`. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError'
  readonly path: string
  readonly value: unknown
  readonly rule: string

  /** `place` is where the value is in the text, e.g. `line 3, column 14`. */
  constructor(path: string, value: unknown, rule: string, place?: string) {
    super(`network config: ${path}: ${show(value)}: ${rule}${place === undefined ? '' : ` (${place})`}`)
    this.path = path
    this.value = writable(value)
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

/** Characters kept of what a server answers. */
const MOST_DETAIL = 1000

/** A call to etcd failed. `endpoint` is a URL without credentials. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  readonly why: EtcdCause
  readonly endpoint: string

  constructor(why: EtcdCause, endpoint: string, detail: string) {
    super(`etcd: ${endpoint}: ${printable(detail, MOST_DETAIL)}`)
    this.why = why
    this.endpoint = endpoint
  }
}

/** The message of anything thrown, for a log line. Total, and cut: others may have written it. */
export function messageOf(thrown: unknown): string {
  try {
    const message = thrown instanceof Error ? thrown.message : thrown
    return typeof message === 'string' ? cut(message, MOST_LINE) : show(message)
  } catch {
    return UNREADABLE
  }
}

/** Levels of arrays and objects that `show` goes into. */
const MOST_DEPTH = 6

/** Replaces a value that cannot be read. */
const UNREADABLE = '(unreadable)'

/**
 * Any value as it may stand in a message: JSON on one line, hidden characters escaped, cut at `most` characters. Total: calls
 * no method of the value (toString, toJSON), and reads no more of it than is shown.
 */
export function show(value: unknown, most = 80): string {
  try {
    return cut(visible(written(value, MOST_DEPTH, most + 1)), most)
  } catch {
    return UNREADABLE
  }
}

/** A value as it is, or as a text when it is nested too deep to be written as JSON. */
function writable(value: unknown): unknown {
  try {
    JSON.stringify(value)
    return value
  } catch {
    return show(value)
  }
}

/** JSON of `room` characters or a little more; what is left out lies behind those. */
function written(value: unknown, depth: number, room: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, room))
  if (typeof value === 'function') return 'function'
  // Of the rest only objects could bring a toString along.
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? listed(value, depth, room) : fielded(value, depth, room)
}

function listed(values: readonly unknown[], depth: number, room: number): string {
  if (depth === 0 && values.length > 0) return '[...]'
  let text = '['
  for (let i = 0; i < values.length && text.length < room; i++) {
    text += `${i === 0 ? '' : ','}${written(values[i], depth - 1, room - text.length)}`
  }
  return `${text}]`
}

function fielded(value: object, depth: number, room: number): string {
  const fields = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(value)
  if (depth === 0 && keys.length > 0) return '{...}'
  let text = '{'
  for (const key of keys) {
    text += `${text === '{' ? '' : ','}${JSON.stringify(key.slice(0, room))}:`
    if (text.length >= room) break
    text += written(fields[key], depth - 1, room - text.length)
  }
  return `${text}}`
}
