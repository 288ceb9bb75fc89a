// How the text of a flag or variable becomes a value: one reader per kind of value, each throwing the rule it holds to.
import { messageOf } from '../errors.ts'
import { parseGoBoolean, parseGoInteger } from './go-flags.ts'
import { compileGoRegex } from './go-regex.ts'
import { type Address, type Family, familyOf, isUnicast, parseAddress } from '../ip/address.ts'
import { type Prefix, bitsOf, parsePrefix, prefixOf } from '../ip/prefix.ts'

/** A kind of value. */
export interface Format<T> {
  /** Its name in the convict schema. */
  readonly name: string
  /** What stands for the value in the usage text; undefined for a boolean, which needs none. */
  readonly argument: string | undefined
  /** The value of a text; throws an Error whose message is the rule broken. */
  readonly read: (text: string) => T
}

/** One row of the option table. */
export interface Row<T> {
  /** Without dash. */
  readonly flag: string
  readonly default: T
  readonly format: Format<T>
  readonly doc: string
  /** May be given several times. */
  readonly repeatable?: boolean
  /** Shown nowhere. */
  readonly sensitive?: boolean
  /** One that Go's flanneld does not have. */
  readonly own?: true
  /** What is not carried out: `refused` ends the start when set to anything but the default, `ignored` is warned about. */
  readonly unsupported?: 'refused' | 'ignored'
}

export const boolean: Format<boolean> = {
  name: 'go-boolean',
  argument: undefined,
  read: (text) => parseGoBoolean(text) ?? broken('must be true or false'),
}

export const string: Format<string> = { name: 'go-string', argument: 'string', read: (text) => text }

/** A text of which the empty one means "not given". */
export const optional: Format<string | undefined> = {
  name: 'go-optional',
  argument: 'string',
  read: (text) => (text === '' ? undefined : text),
}

/** An integer from `min` to `max`. */
export function integer(min: number, max: number): Format<number> {
  const rule = `must be an integer from ${min} to ${max}`
  return {
    name: `go-integer-${min}-${max}`,
    argument: 'int',
    read: (text) => {
      const value = parseGoInteger(text)
      return value === undefined || value < min || value > max ? broken(rule) : value
    },
  }
}

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[]): Format<T> {
  const rule = `must be one of ${words.join(', ')}`
  return {
    name: `go-one-of-${words.join('-')}`,
    argument: words.join('|'),
    read: (text) => words.find((word) => word === text) ?? broken(rule),
  }
}

/** An IP address of either family. */
export const address: Format<Address> = { name: 'go-address', argument: 'IP', read: readAddress }

/** An IP address of either family, or nothing. */
export const optionalAddress: Format<Address | undefined> = {
  name: 'go-optional-address',
  argument: 'IP',
  read: (text) => (text === '' ? undefined : readAddress(text)),
}

/** An address other hosts can reach, of one family, or nothing. */
export function hostAddress(family: Family): Format<Address | undefined> {
  return {
    name: `go-host-address-${family}`,
    argument: `IPv${family}`,
    read: (text) => {
      if (text === '') return undefined
      const value = readAddress(text)
      if (familyOf(value) !== family) return broken(`must be an IPv${family} address`)
      return isUnicast(value)
        ? value
        : broken('must be an address other hosts can reach: not zero, loopback, multicast or broadcast')
    },
  }
}

/** Interfaces by name or address; empty texts, as an unset variable in a unit file leaves them, count for nothing. */
export const interfaces: Format<readonly string[]> = {
  name: 'go-interfaces',
  argument: 'name|IP',
  read: (text) => (text === '' ? [] : [text]),
}

export const regexes: Format<readonly string[]> = {
  name: 'go-regexes',
  argument: 'regex',
  read: (text) => {
    if (text === '') return []
    try {
      compileGoRegex(text)
    } catch (error) {
      return broken(`must be a regular expression: ${messageOf(error)}`)
    }
    return [text]
  },
}

/** Names of hosts, or what they end with, or `*`; in lower case. */
export const hostNames: Format<readonly string[]> = {
  name: 'go-host-names',
  argument: 'names',
  read: (text) => {
    const names = text.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().toLowerCase()]))
    const wrong = names.find((name) => !/^(\*|\.?[\p{L}\d_-]+(\.[\p{L}\d_-]+)*)$/u.test(name))
    return wrong === undefined ? names : broken('must be names of hosts without scheme and port, separated by commas')
  },
}

/** Addresses and networks. */
export const prefixes: Format<readonly Prefix[]> = {
  name: 'go-prefixes',
  argument: 'networks',
  read: (text) => {
    const words = text.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]))
    return words.map((word) => {
      const address = parseAddress(word)
      const prefix = address === undefined ? parsePrefix(word) : prefixOf(address, bitsOf(familyOf(address)))
      return prefix ?? broken('must be addresses and networks, such as 203.0.113.0/28, separated by commas')
    })
  },
}

/** A file's path. */
export const file: Format<string> = {
  name: 'go-file',
  argument: 'file',
  read: (text) =>
    text === '' || /\/\.{0,2}$/.test(text) || text.includes('\0') ? broken('must be the path of a file') : text,
}

/** A key's path in etcd, without the trailing slash (Go cleans it the same way). */
export const keyPrefix: Format<string> = {
  name: 'go-key-prefix',
  argument: 'path',
  read: (text) => {
    const clean = text.replace(/\/+/g, '/').replace(/\/$/, '')
    return clean === '' ? broken('must be the path of a key, such as /coreos.com/network') : clean
  },
}

/** Comma-separated URLs of etcd members as `scheme://host:port`; the scheme is missing where it was not given. */
export const endpoints: Format<readonly string[]> = {
  name: 'go-endpoints',
  argument: 'URLs',
  read: (text) => {
    // What stands there may be a password, anywhere in the text: not repeated.
    if (text.includes('@')) return broken('must hold no user name or password: use -etcd-username and -etcd-password')
    const list = text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    const urls = list.map(readEndpoint)
    if (urls.length === 0) return broken('must name at least one URL, such as http://127.0.0.1:2379')
    return [...new Set(urls)]
  },
}

function readEndpoint(text: string): string {
  // Go's client takes them bare; what that means is said where the TLS files are known (etcd/schemes.ts).
  const bare = /^([\w.-]+|\[[\da-f:]+\]):(\d+)\/?$/i.exec(text)
  if (bare !== null && Number(bare[2]) >= 1 && Number(bare[2]) <= 65535) return text.replace(/\/$/, '').toLowerCase()
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    const hint = /^[\w.-]+$|^\[[\da-f:]+\]$/i.test(text) ? `, did you mean ${text}:2379?` : ''
    if (bare !== null || /^https?:\/\/[^/?#@\s]+:\d+\/?$/i.test(text))
      return broken(`${text}: must have a port from 1 to 65535`)
    return broken(`${text}: must be host:port or a URL beginning with http:// or https://${hint}`)
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return broken(`${text}: must end after the port: the keys' path is -etcd-prefix`)
  // The port is always said: URL drops the scheme's own, and gRPC has other ideas about a missing one.
  return `${url.protocol}//${url.hostname}:${url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port}`
}

function readAddress(text: string): Address {
  return parseAddress(text) ?? broken('must be an IP address')
}

function broken(rule: string): never {
  throw new Error(rule)
}
