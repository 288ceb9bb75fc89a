// What one row of the matrix of backends and families says: a config, the cells that are tested and where, and why the others are not.
import type { Kernel as OtherKernel } from '../world/kernel.ts'
import type { Family } from '../../../src/ip/address.ts'
import type { MatrixHost, Taken } from './matrix-host.ts'

/** The columns. */
export const COLUMNS = ['fresh', 'takeover', 'live change', 'restart', 'damage'] as const
export type Column = (typeof COLUMNS)[number]

/** Where a cell is tested: under this machine's kernel, or another. */
export type Kernel = 'this' | OtherKernel

/** Something that is done to a host by hand, as a shell script. */
export interface Harm {
  readonly fault: string
  readonly script: (own: MatrixHost, peer: MatrixHost) => string
}

export interface Row {
  /** `Backend.Type`. */
  readonly type: string
  /** A shell command that succeeds on a host once it has chosen how to reach its peers, where that takes a while. */
  readonly settled?: string
  /** What is special about how it runs. */
  readonly variant?: string
  readonly families: readonly Family[]
  /** The `Backend` section without its Type. */
  readonly options: object
  /** Further arguments of each daemon. */
  readonly args: string
  /** Prepares a host before its daemon starts. */
  readonly prepare: string
  /** Where each cell is tested; a sentence where it is not. */
  readonly cells: Readonly<Record<Column, Kernel | Explanation>>
  /** Where packets do not go by a changed backend at once: scripts that succeed when they do, and when nothing is left of the change. */
  readonly change?: { readonly leads: string; readonly over: string }
  /** What Go's flanneld leaves on a host that it ran on: what the takeover starts from. */
  readonly left?: Left
  readonly harms: readonly Harm[]
}

/** Why a cell is not tested, for the reader of docs/backends.md. */
export interface Explanation {
  readonly why: string
}

/** A lease as etcd holds it. */
export type Lease = Readonly<Record<string, unknown>>

/** What Go's flanneld left. */
export interface Left {
  readonly mtu: number
  /** Its lease but for the public addresses, which every backend has. */
  readonly lease: object
  /** Makes its devices and entries, in a shell; `lease` is the peer's. */
  readonly script: (taken: Taken, peer: MatrixHost, lease: Lease) => string
}

/** A row's name: `vxlan, IPv4 and IPv6`. */
export function nameOf({ type, variant, families }: Pick<Row, 'type' | 'variant' | 'families'>): string {
  return `${type}${variant === undefined ? '' : ` (${variant})`}, ${families.map((family) => `IPv${family}`).join(' and ')}${families.join() === '6' ? ' alone' : ''}`
}
