// Leases written straight into etcd, as good and bad peers would: the cheapest peers there are.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PREFIX } from '../world/network.ts'
import type { EtcdHost } from '../world/etcd.ts'

/** One lease: the last part of its key and its value. */
export interface RawLease {
  readonly name: string
  readonly value: string | Buffer
}

/** The value of a vxlan lease, with other fields where given. */
export function vxlanValue(publicIp: string, mac: string, over: object = {}): string {
  return JSON.stringify({
    PublicIP: publicIp,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: mac },
    ...over,
  })
}

/** The key of a lease. */
export function keyOf(name: string): string {
  return `${PREFIX}/subnets/${name}`
}

/** Puts leases in their order. */
export async function putLeases(etcd: EtcdHost, leases: readonly RawLease[]): Promise<void> {
  // /tmp is shared with the host.
  const folder = mkdtempSync(join(tmpdir(), `lab-leases-${process.pid}-`))
  try {
    const commands = leases.map(({ name, value }, i) => {
      writeFileSync(join(folder, String(i)), value)
      // Of an empty stdin etcdctl says that the value is missing.
      return `etcdctl put '${keyOf(name)}' ${value.length === 0 ? "''" : `<${folder}/${i}`}`
    })
    await etcd.run(`set -e\n${commands.join('\n')}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** At most 128 operations fit in a transaction of etcd (--max-txn-ops). */
const AT_ONCE = 100

/** Puts many leases at once, whose values are JSON, under an etcd lease where one is given ("0" is none). */
export async function putManyLeases(etcd: EtcdHost, leases: readonly RawLease[], etcdLease = '0'): Promise<void> {
  for (let at = 0; at < leases.length; at += AT_ONCE) {
    const puts = leases
      .slice(at, at + AT_ONCE)
      .map(({ name, value }) => `put --lease=${etcdLease} ${keyOf(name)} ${JSON.stringify(value)}`)
    const answer = await etcd.run('etcdctl txn', `\n${puts.join('\n')}\n\n\n`)
    if (!answer.startsWith('SUCCESS')) throw new Error(answer)
  }
}

/** Deletes leases. */
export async function deleteLeases(etcd: EtcdHost, names: readonly string[]): Promise<void> {
  await etcd.run(names.map((name) => `etcdctl del '${keyOf(name)}'`).join('\n'))
}
