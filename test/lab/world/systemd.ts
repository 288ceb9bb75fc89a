// systemd as the first process of a host, with units of the test's choice and nothing else: no login, no journal, no udev.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { removeGroups } from './docker.ts'
import type { Host, Lab } from './lab.ts'
import { start } from './process.ts'
import { type Place, placeOf } from './space.ts'
import { waitFor } from '../instruments/wait.ts'

/** Where units are read from. */
export const UNITS = '/run/units'

// systemd takes the whole of the control groups it sees for its own: it sees one group, in a tree mounted for it alone.
const BOOT = `
set -e
for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
  if [ -e $tree/cgroup.procs ]; then mkdir -p "$tree/$1"; echo $$ >"$tree/$1/cgroup.procs"; fi
done
exec unshare -C -p -m --propagation private --fork --kill-child --mount-proc sh /run/init.sh
`
const INIT = `
set -e
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env container=lab SYSTEMD_UNIT_PATH=${UNITS} \
  /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no
`

/** Boots, with a unit test.target that wants these units; gives the place where systemctl speaks to it. */
export async function bootSystemd(lab: Lab, host: Host, wants: readonly string[]): Promise<Place> {
  const group = `lab-${randomBytes(4).toString('hex')}`
  lab.afterwards(() => {
    removeGroups(group)
  })
  const alone = '[Unit]\nDefaultDependencies=no\n'
  await host.run(`mkdir -p ${UNITS}`)
  for (const target of ['sysinit', 'basic', 'shutdown', 'multi-user', 'network-online'])
    await host.run(`cat >${UNITS}/${target}.target`, alone)
  await host.run(`cat >${UNITS}/test.target`, `${alone}Wants=${wants.join(' ')}\n`)
  await host.run('cat >/run/boot.sh', BOOT)
  await host.run('cat >/run/init.sh', INIT)
  const unshare = await host.spawn(`sh /run/boot.sh ${group}`)
  // Before that, the shell has children of its own.
  const pid = await waitFor('systemd to be started', () => {
    const [child = ''] = readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').trim().split(' ')
    return child !== '' && readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'systemd' && child
  })
  // systemd answers to processes it can see only.
  const enter = ['nsenter', '-t', pid, '-n', '-m', '-p', '-u', '-i', '-C', 'sh', '-c']
  const place = placeOf(`${host.name}/systemd`, (command, stdin) => start([...enter, command], true, stdin))
  await waitFor('systemd', () => place.run('systemctl show -p Version')).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${unshare.output()}`)
  })
  return place
}
