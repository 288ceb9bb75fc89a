// The counters of a network device as /proc/net/dev shows them (proc(5)): of the network namespace we are in.
import { readFile } from 'node:fs/promises'

/** Since the device was made. */
export interface DeviceCounters {
  readonly rxBytes: number
  readonly txBytes: number
  /** Packets, both ways. */
  readonly drops: number
}

/** Reads them; undefined when there is no such device. */
export async function countersOf(device: string): Promise<DeviceCounters | undefined> {
  return countersIn(await readFile('/proc/net/dev', 'utf8'), device)
}

/** The same in the file's text. Pure. */
function countersIn(text: string, device: string): DeviceCounters | undefined {
  const line = text.split('\n').find((one) => one.trimStart().startsWith(`${device}:`))
  if (line === undefined) return undefined
  // bytes packets errs drop fifo frame compressed multicast | bytes packets errs drop ...
  const fields = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .map(Number)
  const [rxBytes = 0, , , rxDrops = 0] = fields
  const [txBytes = 0, , , txDrops = 0] = fields.slice(8)
  return { rxBytes, txBytes, drops: rxDrops + txDrops }
}
