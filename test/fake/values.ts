// Values that tests of plans start from: one host of the tutorial and its peers.
import { only } from '../../src/ip/by-family.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { VxlanConfig } from '../../backends/vxlan/config.ts'
import type { ExternalInterface, JsonObject, Peer, Self } from '../../src/backend.ts'
import { type Address, parseAddress } from '../../src/ip/address.ts'
import { type Mac, macFromSeed, parseMac } from '../../src/ip/mac.ts'
import { type Prefix, parsePrefix } from '../../src/ip/prefix.ts'
import type { Intent } from '../../src/reconcile/intent.ts'

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(`${text} is no prefix`)
  return parsed
}

export function mac(text: string): Mac {
  const parsed = parseMac(text)
  if (parsed === undefined) throw new Error(`${text} is no MAC`)
  return parsed
}

export const VXLAN_DEFAULTS: VxlanConfig = {
  vni: 1,
  port: 8472,
  mtu: 0,
  directRouting: false,
  learning: false,
  gbp: false,
}

/** Keys of a backend's config without which there is none, by its type. */
export const REQUIRED_KEYS: Readonly<Record<string, JsonObject>> = { ipsec: { PSK: 'k'.repeat(96) } }

export const ENP0S3: ExternalInterface = {
  family: 4,
  name: 'enp0s3',
  index: 2,
  mtu: 1500,
  mac: mac('52:54:00:00:00:21'),
  address: address('192.168.19.121'),
  publicAddress: address('192.168.19.121'),
  onlink: [prefix('192.168.19.0/24')],
}

export function selfWith<Config>(config: Config, over: Partial<Self<Config>> = {}): Self<Config> {
  return {
    family: 4,
    config,
    network: prefix('10.2.0.0/16'),
    subnet: prefix('10.2.21.0/24'),
    external: ENP0S3,
    otherExternal: undefined,
    prepared: new Map(),
    hostId: '0123456789abcdef0123456789abcdef',
    keptMacs: new Map(),
    nexthops: false,
    ...over,
  }
}

export function vxlanIntent(over: Partial<Intent> = {}, config: Partial<VxlanConfig> = {}): Intent {
  return {
    active: [{ backend: vxlan, config: { ...VXLAN_DEFAULTS, ...config } }],
    selves: only(4, selfWith(undefined)),
    blackhole: true,
    leftovers: [],
    ...over,
  }
}

/** The vxlan peer that holds 10.2.<n>.0/24 at 192.168.19.<host>. */
export function vxlanPeer(n: number, host = 100 + (n % 100)): Peer {
  return {
    subnet: prefix(`10.2.${n}.0/24`),
    publicAddress: address(`192.168.19.${host}`),
    type: 'vxlan',
    data: { mac: macFromSeed(`peer ${n} ${host}`) },
  }
}
