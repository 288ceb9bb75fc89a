// Whether the process may do what it has to: capabilities(7), as /proc/self/status shows them.
import { readFile } from 'node:fs/promises'
import { OperatorError } from '../errors.ts'

/** Bits of the capability sets (linux/capability.h). */
const CAP_NET_ADMIN = 12

/** Whether the status text shows CAP_NET_ADMIN in the effective set. */
function hasNetAdmin(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> BigInt(CAP_NET_ADMIN)) & 1n) === 1n
}

/** Rejects with OperatorError when the kernel would refuse every write of ours. */
export async function requireNetAdmin(): Promise<void> {
  if (hasNetAdmin(await readFile('/proc/self/status', 'utf8'))) return
  throw new OperatorError(
    `permission: uid ${process.getuid?.() ?? '?'}: CAP_NET_ADMIN is missing: run as root, or give the unit AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW`,
  )
}
