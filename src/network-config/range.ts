// Which subnets hosts may lease, per family: network, subnet length, first and last subnet, with Go's defaults and rules.
// Invariant: subnetMin <= subnetMax, both first addresses of subnets inside the network, which holds four or more.
import { configInteger } from './formats.ts'
import type { Section } from './section.ts'
import { type Address, type Family, bigintOf, familyOf, fromBigint, parseAddress } from '../ip/address.ts'
import {
  type Prefix,
  addressOf,
  bitsOf,
  contains,
  lengthOf,
  overlaps,
  parseInterfacePrefix,
  parsePrefix,
  prefixOf,
} from '../ip/prefix.ts'
import type { SubnetRange } from '../lease/allocate.ts'

/** Keys of one family in the config. */
interface Keys {
  readonly network: string
  readonly subnetLen: string
  readonly subnetMin: string
  readonly subnetMax: string
}

/** What the config calls each family's fields. */
export const RANGE_KEYS: Readonly<Record<Family, Keys>> = {
  4: { network: 'Network', subnetLen: 'SubnetLen', subnetMin: 'SubnetMin', subnetMax: 'SubnetMax' },
  6: { network: 'IPv6Network', subnetLen: 'IPv6SubnetLen', subnetMin: 'IPv6SubnetMin', subnetMax: 'IPv6SubnetMax' },
}

/** The same as a list. */
export function rangeKeys(family: Family): readonly string[] {
  const { network, subnetLen, subnetMin, subnetMax } = RANGE_KEYS[family]
  return [network, subnetLen, subnetMin, subnetMax]
}

/** A network for messages. */
const EXAMPLE: Readonly<Record<Family, string>> = { 4: '10.2.0.0/16', 6: 'fd00:2::/48' }

/** A subnet's usual length: /24 and /64. */
const USUAL_LENGTH: Readonly<Record<Family, number>> = { 4: 24, 6: 64 }

/** Where no host can have an address: "this network", loopback, multicast and class E; their like in IPv6. */
const UNUSABLE: Readonly<Record<Family, readonly string[]>> = {
  4: ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'],
  6: ['::/64', 'fe80::/10', 'ff00::/8'],
}

/** Reads the range of one family. Throws ConfigError; `warn` gets a line for each value read differently than written. */
export function parseRange(section: Section, family: Family, warn: (text: string) => void): SubnetRange {
  const network = parseNetwork(section, family, warn)
  const subnetLen = parseLength(section, family, network)
  const size = 1n << BigInt(bitsOf(family) - subnetLen)
  const start = bigintOf(addressOf(network))
  const end = start + (1n << BigInt(bitsOf(family) - lengthOf(network)))
  // The first subnet is left out: its first address would be the network's own.
  const subnetMin =
    parseBound(section, RANGE_KEYS[family].subnetMin, network, subnetLen) ?? fromBigint(family, start + size)
  const subnetMax =
    parseBound(section, RANGE_KEYS[family].subnetMax, network, subnetLen) ?? fromBigint(family, end - size)
  if (bigintOf(subnetMin) > bigintOf(subnetMax)) {
    const max = RANGE_KEYS[family].subnetMax
    const key = section.value(max) === undefined ? RANGE_KEYS[family].subnetMin : max
    throw section.error(key, `the first subnet, ${subnetMin}, must not come after the last, ${subnetMax}`)
  }
  return { network, subnetLen, subnetMin, subnetMax }
}

function parseNetwork(section: Section, family: Family, warn: (text: string) => void): Prefix {
  const key = RANGE_KEYS[family].network
  const example = EXAMPLE[family]
  const text = section.text(key)
  const parsed = text === undefined ? undefined : parseInterfacePrefix(text)
  if (parsed === undefined || familyOf(parsed.address) !== family) {
    throw section.error(key, `must be an IPv${family} network such as "${example}"`)
  }
  const longest = bitsOf(family) - 4
  if (parsed.length > longest) {
    throw section.error(key, `must be /${longest} or larger: four subnets of four addresses have to fit`)
  }
  const network = prefixOf(parsed.address, parsed.length)
  if (prefixes(UNUSABLE[family]).some((unusable) => overlaps(unusable, network))) {
    throw section.error(
      key,
      'must hold only addresses a host may have: not zero, loopback, link-local, multicast or reserved',
    )
  }
  if (addressOf(network) !== parsed.address)
    warn(`network config: ${key}: "${text}": host bits are set, read as ${network}`)
  return network
}

function parseLength(section: Section, family: Family, network: Prefix): number {
  const key = RANGE_KEYS[family].subnetLen
  const shortest = lengthOf(network) + 2
  const longest = bitsOf(family) - 2
  const usual = Math.max(USUAL_LENGTH[family], shortest)
  const value = section.value(key)
  // 0 is Go's "not given".
  if (value === 0) return usual
  const why = `${network} has to hold four subnets, and a subnet four addresses`
  return section.read(key, configInteger(shortest, longest, why)) ?? usual
}

/** SubnetMin or SubnetMax; undefined when not given (the zero address is Go's "not given"). */
function parseBound(section: Section, key: string, network: Prefix, subnetLen: number): Address | undefined {
  const text = section.text(key)
  if (text === undefined || text === '0.0.0.0' || text === '::') return undefined
  const address = parseAddress(text)
  if (address === undefined || familyOf(address) !== familyOf(addressOf(network))) {
    throw section.error(key, `must be an IPv${familyOf(addressOf(network))} address`)
  }
  if (!contains(network, address)) throw section.error(key, `must be inside ${network}`)
  const aligned = addressOf(prefixOf(address, subnetLen))
  if (aligned !== address) throw section.error(key, `must be the first address of a /${subnetLen}, such as ${aligned}`)
  return address
}

function prefixes(texts: readonly string[]): readonly Prefix[] {
  return texts.map(parsePrefix).filter((prefix) => prefix !== undefined)
}
