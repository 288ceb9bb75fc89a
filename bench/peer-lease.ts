// The i-th made-up peer: its key and value as Go's flanneld would write them.
import { fromNumber } from '../src/ip/address.ts'
import { type Mac, macFromSeed } from '../src/ip/mac.ts'
import { type Prefix, prefixOf } from '../src/ip/prefix.ts'
import type { Address } from '../src/ip/address.ts'
import { encodeKey, encodeValue } from '../src/lease/codec.ts'
import { onlySubnet, NEITHER, only } from '../src/ip/by-family.ts'

/** What programming the peer needs. Each generation has other public addresses. */
export interface MadeUpPeer {
  readonly subnet: Prefix
  /** The subnet's first address, its VTEP's. */
  readonly vtep: Address
  readonly publicAddress: Address
  readonly mac: Mac
}

/** Public addresses of a generation: 65,536 of 172.16.0.0/12. */
const GENERATION = 0x1_0000

export function madeUpPeer(i: number, generation = 0): MadeUpPeer {
  const vtep = fromNumber(0x0a01_0000 + i * 256)
  return {
    vtep,
    subnet: prefixOf(vtep, 24),
    publicAddress: fromNumber(0xac10_0001 + i + (generation % 15) * GENERATION),
    mac: macFromSeed(`peer ${i}`),
  }
}

export function peerLease(prefix: string, i: number, generation = 0): { readonly key: string; readonly value: string } {
  const { subnet, publicAddress, mac } = madeUpPeer(i, generation)
  const value = {
    addresses: only(4, publicAddress),
    backendType: 'vxlan',
    backendData: only(4, { VNI: 1, VtepMAC: mac }),
    hostId: undefined,
    sourceAddresses: NEITHER,
  }
  return { key: encodeKey(prefix, onlySubnet(subnet)), value: encodeValue(value) }
}
