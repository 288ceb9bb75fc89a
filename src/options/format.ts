// The formats of option values, as convict has them: `coerce` decodes the text of a flag or variable, `validate` throws the
// rule that a value breaks. A text that cannot be decoded stays a text, which `validate` then refuses: so convict, which knows
// the option's name there, judges every value in one place.
import { messageOf } from '../errors.ts'
import { parseGoBoolean, parseGoInteger } from './go-flags.ts'
import { compileGoRegex } from './go-regex.ts'
import { type Address, type Family, familyOf, isUnicast, parseAddress } from '../ip/address.ts'
import { type Prefix, bitsOf, parsePrefix, prefixOf } from '../ip/prefix.ts'

/** A kind of value. */
export interface Format<T> {
  /** Its name in convict's registry, which is one for the process: no two formats share a name. */
  readonly name: string
  /** The placeholder of the value in the usage text; undefined for a boolean, which needs none. */
  readonly argument: string | undefined
  /** Decodes a text. Total. */
  readonly coerce: (text: string) => unknown
  /** Throws an Error whose message is the rule that the value breaks. */
  readonly validate: (value: unknown) => asserts value is T
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
  /** Never shown. */
  readonly sensitive?: boolean
  /** One that Go's flanneld does not have. */
  readonly own?: true
  /** What is not supported: `refused` ends the start when set to anything but the default, `ignored` is warned about. */
  readonly unsupported?: 'refused' | 'ignored'
}

export const flagBoolean: Format<boolean> = {
  name: 'flag-boolean',
  argument: undefined,
  coerce: (text) => parseGoBoolean(text) ?? text,
  validate(value): asserts value is boolean {
    if (typeof value !== 'boolean') broken('must be true or false')
  },
}

export const string: Format<string> = { name: 'flag-string', argument: 'string', coerce: same, validate: isText }

/** A text. The empty text means "not given". */
export const optional: Format<string | undefined> = {
  name: 'flag-optional',
  argument: 'string',
  coerce: (text) => (text === '' ? undefined : text),
  validate(value): asserts value is string | undefined {
    if (value !== undefined) isText(value)
  },
}

/** An integer from `min` to `max`. */
export function flagInteger(min: number, max: number): Format<number> {
  return {
    name: `flag-integer-${min}-${max}`,
    argument: 'int',
    coerce: (text) => parseGoInteger(text) ?? text,
    validate(value): asserts value is number {
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return
      broken(`must be an integer from ${min} to ${max}`)
    },
  }
}

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[]): Format<T> {
  return {
    name: `flag-one-of-${words.join('-')}`,
    argument: words.join('|'),
    coerce: same,
    validate(value): asserts value is T {
      if (!words.some((word) => word === value)) broken(`must be one of ${words.join(', ')}`)
    },
  }
}

/** An IP address of either family. */
export const address: Format<Address> = {
  name: 'flag-address',
  argument: 'IP',
  coerce: (text) => parseAddress(text) ?? text,
  validate: isAddress,
}

/** An IP address of either family, or nothing. */
export const optionalAddress: Format<Address | undefined> = {
  name: 'flag-optional-address',
  argument: 'IP',
  coerce: addressOrNothing,
  validate(value): asserts value is Address | undefined {
    if (value !== undefined) isAddress(value)
  },
}

/** An address other hosts can reach, of one family, or nothing. */
export function hostAddress(family: Family): Format<Address | undefined> {
  return {
    name: `flag-host-address-${family}`,
    argument: `IPv${family}`,
    coerce: addressOrNothing,
    validate(value): asserts value is Address | undefined {
      if (value === undefined) return
      isAddress(value)
      if (familyOf(value) !== family) broken(`must be an IPv${family} address`)
      if (!isUnicast(value))
        broken('must be an address other hosts can reach: not zero, loopback, multicast or broadcast')
    },
  }
}

/** Interfaces by name or address. An empty text, as an unset variable in a unit file leaves it, names none. */
export const interfaces: Format<readonly string[]> = {
  name: 'flag-interfaces',
  argument: 'name|IP',
  coerce: oneOrNone,
  validate(value): asserts value is readonly string[] {
    itemsOf(value)
  },
}

/** Regular expressions in Go's syntax. */
export const regexes: Format<readonly string[]> = {
  name: 'flag-regexes',
  argument: 'regex',
  coerce: oneOrNone,
  validate(value): asserts value is readonly string[] {
    for (const text of itemsOf(value)) {
      try {
        compileGoRegex(text)
      } catch (error) {
        broken(`must be a regular expression: ${messageOf(error)}`)
      }
    }
  },
}

/** Names of hosts, or what they end with, or `*`; in lower case. */
export const hostNames: Format<readonly string[]> = {
  name: 'flag-host-names',
  argument: 'names',
  coerce: (text) => listOf(text).map((name) => name.toLowerCase()),
  validate(value): asserts value is readonly string[] {
    if (!itemsOf(value).every((name) => /^(\*|\.?[\p{L}\d_-]+(\.[\p{L}\d_-]+)*)$/u.test(name)))
      broken('must be names of hosts without scheme and port, separated by commas')
  },
}

/** Addresses and networks. */
export const prefixes: Format<readonly Prefix[]> = {
  name: 'flag-prefixes',
  argument: 'networks',
  coerce: (text) =>
    listOf(text).map((word) => {
      const host = parseAddress(word)
      return (host === undefined ? parsePrefix(word) : prefixOf(host, bitsOf(familyOf(host)))) ?? word
    }),
  validate(value): asserts value is readonly Prefix[] {
    if (!itemsOf(value).every((word) => parsePrefix(word) === word))
      broken('must be addresses and networks, such as 203.0.113.0/28, separated by commas')
  },
}

/** A file's path. */
export const file: Format<string> = {
  name: 'flag-file',
  argument: 'file',
  coerce: same,
  validate(value): asserts value is string {
    isText(value)
    if (value === '' || /\/\.{0,2}$/.test(value) || value.includes('\0')) broken('must be the path of a file')
  },
}

/** A file's path, or nothing. */
export const optionalFile: Format<string | undefined> = {
  name: 'flag-optional-file',
  argument: 'file',
  coerce: (text) => (text === '' ? undefined : text),
  validate(value): asserts value is string | undefined {
    if (value !== undefined) file.validate(value)
  },
}

/** A key's path in etcd, without the trailing slash (Go cleans it the same way). */
export const keyPrefix: Format<string> = {
  name: 'flag-key-prefix',
  argument: 'path',
  coerce: (text) => text.replace(/\/+/g, '/').replace(/\/$/, ''),
  validate(value): asserts value is string {
    isText(value)
    if (value === '') broken('must be the path of a key, such as /coreos.com/network')
  },
}

/** Ends a validation with the rule. */
export function broken(rule: string): never {
  throw new Error(rule)
}

/** The items of a list of texts; throws for any other value. */
export function itemsOf(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string')
  return isList ? value : broken('must be a list of texts')
}

/** The words between commas, without white space around them. */
export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

function isText(value: unknown): asserts value is string {
  if (typeof value !== 'string') broken('must be a text')
}

function isAddress(value: unknown): asserts value is Address {
  if (typeof value !== 'string' || parseAddress(value) !== value) broken('must be an IP address')
}

function addressOrNothing(text: string): string | undefined {
  return text === '' ? undefined : (parseAddress(text) ?? text)
}

function oneOrNone(text: string): readonly string[] {
  return text === '' ? [] : [text]
}

function same(text: string): string {
  return text
}
