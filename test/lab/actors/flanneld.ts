// The daemon under test, as built: started on a host of the lab as an operator would.
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from '../world/process.ts'
import type { Place, Space } from '../world/space.ts'
import { waitFor } from '../instruments/wait.ts'

/** This project's folder. */
export const ROOT = join(import.meta.dirname, '../../..')

/** The bundle, run with the project's own node. */
export const BUNDLE = `${process.execPath} ${join(ROOT, 'dist/flanneld')}`

/** The bundle, run with Node 20. */
export const BUNDLE_ON_20 = `${join(ROOT, 'node_modules/node-20/bin/node')} ${join(ROOT, 'dist/flanneld')}`

/** The single executable file. */
export const SINGLE_FILE = join(ROOT, 'dist/flanneld-amd64')

/** Starts the daemon with these arguments. */
export function startFlanneld(host: Place, args: string, program: string = BUNDLE): Promise<Running> {
  return host.spawn(`${program} ${args}`)
}

/** What containers' tools read: the variables of subnet.env. */
export type SubnetEnv = Readonly<Record<string, string>>

/** The host's subnet.env as it is now; rejects when there is none. */
export async function subnetEnv(host: Place, path = '/run/flannel/subnet.env'): Promise<SubnetEnv> {
  const lines = (await host.run(`cat ${path}`)).trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

/** Waits until the daemon has written subnet.env, and says what it printed when it ended instead. */
export async function waitForSubnetEnv(
  host: Place,
  daemon: Running,
  path = '/run/flannel/subnet.env',
): Promise<SubnetEnv> {
  const ended = daemon.exit.then((exit) => {
    throw new Error(`${host.name}: flanneld ended: ${JSON.stringify(exit)}\n${daemon.output()}`)
  })
  const written = waitFor(`${path} on ${host.name}`, () => subnetEnv(host, path)).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
  return Promise.race([written, ended])
}

/** Resident memory of a program in bytes (proc(5), VmRSS). */
export function residentBytes(running: Running): number {
  const status = readFileSync(`/proc/${running.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}

/**
 * Copies the single file, alone, to /usr/local/bin/flanneld of a host, and takes this project's folder and the machine's
 * node away from that host: what runs there needs nothing else.
 */
export async function installSingleFile(host: Space): Promise<void> {
  // /usr/local/bin is the host's own; /proc/PID/root is its file system as seen from here.
  copyFileSync(SINGLE_FILE, `/proc/${host.pid}/root/usr/local/bin/flanneld`)
  await host.run(`mount -t tmpfs none ${ROOT}
    for node in $(which -a node); do mount --bind /dev/null $(realpath "$node"); done`)
}
