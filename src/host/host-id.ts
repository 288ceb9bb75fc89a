// The identity of this host in leases: the same after restarts, upgrades and a change of address.
// machine-id alone is not enough: cloned machines share it, and so do network namespaces of one machine.
import type { ByFamily, SomeFamily } from '../ip/by-family.ts'
import type { ExternalInterface } from '../backend.ts'
import type { Place } from '../kernel/host-network.ts'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Address } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'

// machine-id(5): the id is confidential, only a keyed hash of it may leave the machine.
const SALT = 'flanneld host id 1'

/**
 * 32 hex digits made from the text of /etc/machine-id and the external interface's MAC. A link without a MAC (a tunnel)
 * is distinguished by its address instead.
 */
export function hostId(machineId: string | undefined, mac: Mac | undefined, address: Address): string {
  const text = [SALT, normalMachineId(machineId) ?? '-', mac ?? address].join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** The text of the machine-id file; undefined when there is none or it cannot be read. */
export async function readMachineId(path = '/etc/machine-id'): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The id without the newline; undefined for an empty file or systemd's "uninitialized" of an image's first boot. */
function normalMachineId(text: string | undefined): string | undefined {
  const id = text?.trim().toLowerCase()
  return id === undefined || id === '' || id === 'uninitialized' ? undefined : id
}

/** This host, as found. */
export interface Host {
  /** The interface of each family that outer packets use. */
  readonly externals: SomeFamily<ExternalInterface>
  /** Where our lease says we are, when that address is not on this host. */
  readonly homes: ByFamily<Place>
  readonly hostId: string
}
