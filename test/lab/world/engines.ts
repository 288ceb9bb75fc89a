// Hosts of other Debians: a host of the lab whose programs, iptables and Docker among them, are those of a folder made
// by scripts/engine-root.sh. Invariant: the folder is only read; what a host writes goes to memory and ends with it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, SINGLE_FILE } from '../actors/flanneld.ts'
import type { Host } from './lab.ts'
import { start } from './process.ts'
import { placeOf } from './space.ts'

/** The engines there are to test, each with the folder of its Debian (Makefile, engines). */
export const ENGINES = {
  '20.10': 'build/engines/20.10',
  '26.1': 'build/engines/26.1',
  '28.5': 'build/engines/28.5',
} as const
export type EngineVersion = keyof typeof ENGINES

/** What `iptables` is on a host. */
export type Iptables = 'nft' | 'legacy'

// /run and /var/lib are the space's own; pivot_root rather than chroot, or containers would see this machine's root.
const PIVOT = `
set -e
mkdir -p /run/engine/new /run/engine/work /run/engine/root
mount -t overlay -o lowerdir="$1",upperdir=/run/engine/new,workdir=/run/engine/work overlay /run/engine/root
cd /run/engine/root
mkdir -p oldroot
for each in proc sys dev run var/lib usr/local/bin; do mount --rbind "/$each" "$each"; done
pivot_root . oldroot
cd /
echo ready
exec sleep 1000000
`

/** Gives a host the programs of an engine's Debian, this kind of iptables, and flanneld in its PATH. */
export async function installEngine(host: Host, version: EngineVersion, iptables: Iptables): Promise<Host> {
  const program = '/usr/local/bin/flanneld'
  await host.run(`touch ${program} && mount --bind ${SINGLE_FILE} ${program}`)
  const moved = await moveTo(host, join(ROOT, ENGINES[version]))
  await moved.run(
    `for each in iptables ip6tables; do for part in "" -save -restore; do
       ln -sf /usr/sbin/$each-${iptables}$part /etc/alternatives/$each$part
     done; done`,
  )
  return moved
}

async function moveTo(host: Host, folder: string): Promise<Host> {
  if (!existsSync(folder)) throw new Error(`${folder}: not there: make engines`)
  await host.run('cat >/run/pivot.sh', PIVOT)
  const anchor = await host.spawn(`unshare -m --propagation private sh /run/pivot.sh ${folder}`)
  await anchor.line(/^ready$/)
  const enter = ['nsenter', '-t', String(anchor.pid), '-n', '-m', '-p', '-u', '-i', 'sh', '-c']
  return { ...host, ...placeOf(host.name, (command, stdin) => start([...enter, command], true, stdin)), enter }
}
