// Fingerprints of iptables-legacy's tables, taken without starting a process: the kernel sends no notifications for these
// tables, so their size or entries are read (getsockopt(2), linux/netfilter_ipv4/ip_tables.h).
// Invariant: packet counters, which always change, are not part of a fingerprint.
import { createHash, type Hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Family } from '../../ip/address.ts'
import { addon } from '../../netlink/addon.ts'
import { AF_INET, AF_INET6, SOCK_RAW } from '../../netlink/constants.ts'
import { orThrow } from '../../netlink/errno.ts'

/** Reads the legacy tables of one family and namespace. */
export interface LegacyTables {
  /** Number of entries and bytes of each table: cheap, but misses changes that keep both. Undefined when one cannot be read. */
  size(tables: readonly string[]): string | undefined
  /** A hash of all entries. Undefined when one cannot be read. */
  entries(tables: readonly string[]): string | undefined
  close(): void
}

/** A socket of this protocol only sends: it receives and queues nothing. */
const IPPROTO_RAW = 255
/** IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES; ip6tables has the same numbers at level SOL_IPV6. */
const GET_INFO = 64
const GET_ENTRIES = 65
const LEVEL = { 4: 0, 6: 41 } as const
/** struct ipt_getinfo: name[32], valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
const INFO = { bytes: 84, entries: 76, size: 80 }
/** struct ipt_get_entries: name[32], size, padding to eight. */
const ENTRIES = { bytes: 40, size: 32 }
/** struct ipt_entry and ip6t_entry: next_offset u16, then comefrom u32 (the kernel's own use) and the counters. */
const ENTRY = { 4: { next: 90, skip: 92, end: 112 }, 6: { next: 142, skip: 144, end: 168 } } as const

/**
 * The legacy tables that are loaded; reading any other makes the kernel load it. `netns` is "/proc/PID/ns/net", the
 * process's own by default.
 */
export function legacyTableNames(family: Family, netns?: string): readonly string[] {
  const process = netns?.replace(/\/ns\/net$/, '') ?? '/proc/self'
  try {
    const text = readFileSync(`${process}/net/ip${family === 4 ? '' : '6'}_tables_names`, 'utf8')
    return text.split('\n').filter((name) => name !== '')
  } catch {
    // No ip_tables in this kernel, or not loaded yet.
    return []
  }
}

/** Opens the socket to read through, in `netns` (a path; the process's own by default). Throws KernelError. */
export function openLegacyTables(family: Family, netns?: string): LegacyTables {
  const sys = addon()
  const domain = family === 4 ? AF_INET : AF_INET6
  const fd = orThrow('iptables-legacy: socket', sys.socket(domain, SOCK_RAW, IPPROTO_RAW, netns))

  function get(option: number, table: string, size: number): DataView | undefined {
    const bytes = new Uint8Array(size)
    bytes.set(Buffer.from(table))
    const view = new DataView(bytes.buffer)
    if (option === GET_ENTRIES) view.setUint32(ENTRIES.size, size - ENTRIES.bytes, true)
    return sys.getsockopt(fd, LEVEL[family], option, bytes) < 0 ? undefined : view
  }

  function add(hash: Hash, table: string): boolean {
    const size = get(GET_INFO, table, INFO.bytes)?.getUint32(INFO.size, true)
    const view = size === undefined ? undefined : get(GET_ENTRIES, table, ENTRIES.bytes + size)
    if (view === undefined) return false
    const { next, skip, end } = ENTRY[family]
    hash.update(table)
    for (let at = ENTRIES.bytes; at + end <= view.byteLength;) {
      const length = view.getUint16(at + next, true)
      if (length < end) return false
      hash.update(new Uint8Array(view.buffer, at, skip))
      hash.update(new Uint8Array(view.buffer, at + end, Math.min(length, view.byteLength - at) - end))
      at += length
    }
    return true
  }

  return {
    size(tables) {
      const sizes = tables.map((table) => {
        const info = get(GET_INFO, table, INFO.bytes)
        return info && `${table} ${info.getUint32(INFO.entries, true)} ${info.getUint32(INFO.size, true)}`
      })
      return sizes.includes(undefined) ? undefined : sizes.join()
    },
    entries(tables) {
      const hash = createHash('sha1')
      return tables.every((table) => add(hash, table)) ? hash.digest('hex') : undefined
    },
    close: () => void sys.close(fd),
  }
}
