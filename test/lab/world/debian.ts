// A Debian with nothing of ours: the folder of an engine (engines.ts), seen through an overlay that ends with the space.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ENGINES } from './engines.ts'
import { ROOT } from '../actors/flanneld.ts'
import { start } from './process.ts'
import { type Place, type Space, placeOf } from './space.ts'

const FOLDER = '/run/debian'

/** Its file system as this machine sees it from inside the space, and where commands run in it. */
export interface Debian extends Place {
  readonly folder: string
}

/** Lays a Debian 13 out in a space; proc and an empty /run are its own. */
export async function mountDebian(space: Space): Promise<Debian> {
  const lower = join(ROOT, ENGINES['26.1'])
  if (!existsSync(lower)) throw new Error(`${lower}: not there: make engines`)
  await space.run(`set -e
    mkdir -p ${FOLDER} /run/overlay/new /run/overlay/work
    mount -t overlay -o lowerdir=${lower},upperdir=/run/overlay/new,workdir=/run/overlay/work overlay ${FOLDER}
    mount -t proc proc ${FOLDER}/proc
    mount -t tmpfs none ${FOLDER}/run`)
  const enter = [...space.enter.slice(0, -2), 'chroot', FOLDER, 'env', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'sh', '-c']
  return {
    ...placeOf(space.name, (command, stdin) => start([...enter, command], true, stdin)),
    folder: `/proc/${String(space.pid)}/root${FOLDER}`,
  }
}

/**
 * Every file with its type, mode, owner and contents, but for what dpkg and ld.so keep on packages: their databases,
 * logs and caches differ after any package.
 */
export async function filesOf(debian: Place): Promise<readonly string[]> {
  const own = '^/(proc|dev|sys)/|^/var/(lib/dpkg|cache|log)/|^/etc/ld.so.cache'
  const list = await debian.run(
    `{ find / -xdev ! -type f -printf '%y %m %u:%g %p %l\\n'; find / /run -xdev -type f -printf '%y %m %u:%g %p ' -exec md5sum {} \\; ; } |
     sort -u`,
  )
  return list.split('\n').filter((line) => !new RegExp(own).test(line.split(' ')[3] ?? ''))
}
