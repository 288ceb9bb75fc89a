// A Docker engine per host, with containers of an image made from busybox: nothing is pulled.
import { mkdtempSync, readdirSync, rmSync, rmdirSync, symlinkSync, copyFileSync, mkdirSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Container } from './container.ts'
import type { Host, Lab } from './lab.ts'
import { type Running, start } from './process.ts'
import { placeOf } from './space.ts'
import { waitFor } from '../instruments/wait.ts'

/** A running engine; `docker` on its host speaks to it. */
export interface Docker {
  readonly daemon: Running
  /** `docker run` of a container that waits; commands run in it by `docker exec`. */
  container(name: string, options?: string): Promise<Container>
}

/** Where control groups are: one tree, or one per controller. */
const CGROUPS = '/sys/fs/cgroup'

/** Starts dockerd with these arguments ("--bip=... --mtu=...") and gives it an image `busybox`. */
export async function startDocker(lab: Lab, host: Host, args: string): Promise<Docker> {
  const daemon = await host.spawn(`dockerd --cgroup-parent=${ownControlGroup(lab)} ${args}`)
  try {
    await importBusybox(lab, host)
  } catch (error) {
    throw new Error(`${String(error)}\n${daemon.output()}`, { cause: error })
  }

  return {
    daemon,
    async container(name, options = '') {
      await host.run(`docker run -d --name ${name} ${options} busybox sleep 100000`)
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
      const format6 = format.replace('IPAddress', 'GlobalIPv6Address')
      const [address = '', address6 = ''] = await Promise.all(
        [format, format6].map(async (each) => (await host.run(`docker inspect -f '${each}' ${name}`)).trim()),
      )
      const words = ['docker', 'exec', name, 'sh', '-c'].map((word) => `'${word}'`).join(' ')
      const begin = (command: string): Promise<Running> => start([...host.enter, `exec ${words} "$0"`, command], true)
      return { ...placeOf(`${host.name}/${name}`, begin), address, address6 }
    },
  }
}

/** A parent for the control groups of an engine: a space does not hold those, so it is removed in the end. */
export function ownControlGroup(lab: Lab): string {
  const group = `lab-${randomBytes(4).toString('hex')}`
  lab.afterwards(() => {
    removeGroups(group)
  })
  return `/${group}`
}

/** Waits for the engine of a host, and gives it the image `busybox`. */
export async function importBusybox(lab: Lab, host: Host): Promise<void> {
  await waitFor(`dockerd on ${host.name}`, () => host.run('docker version -f ok'), 60_000)
  // /run is the host's own, whatever else of it is of another Debian.
  copyFileSync(busyboxImage(lab), `/proc/${host.pid}/root/run/busybox.tar`)
  await host.run('docker import - busybox </run/busybox.tar && rm /run/busybox.tar')
}

const images = new WeakMap<Lab, string>()

/** The path of an image's file system as tar: the static busybox and a name for each of its programs. */
function busyboxImage(lab: Lab): string {
  const made = images.get(lab)
  if (made !== undefined) return made
  const folder = mkdtempSync(join(tmpdir(), 'lab-image-'))
  lab.afterwards(() => {
    rmSync(folder, { recursive: true })
  })
  const bin = join(folder, 'root/bin')
  mkdirSync(bin, { recursive: true })
  copyFileSync('/bin/busybox', join(bin, 'busybox'))
  const programs = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const program of programs.filter((it) => it !== 'busybox')) symlinkSync('busybox', join(bin, program))
  for (const each of ['proc', 'sys', 'dev', 'etc', 'tmp', 'root']) mkdirSync(join(folder, 'root', each))
  const image = join(folder, 'busybox.tar')
  execFileSync('tar', ['-C', join(folder, 'root'), '-cf', image, '.'])
  images.set(lab, image)
  return image
}

/** Removes an engine's control groups, deepest first; they are empty once its space is gone. */
export function removeGroups(group: string): void {
  const remove = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) remove(join(path, entry.name))
    }
    rmdirSync(path)
  }
  for (const tree of ['', ...readdirSync(CGROUPS)]) {
    try {
      remove(join(CGROUPS, tree, group))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
    }
  }
}
