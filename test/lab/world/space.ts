// A space looks like a separate machine to programs: network, mounts, processes, host name.
// Invariant: all of it hangs on one process, the space's pid 1, which ends when its end of a pipe closes. So a space and
// all that runs in it is gone when closed, when the test process dies, and at Ctrl-C; nothing in the file system names it.
import { spawn } from 'node:child_process'
import { type Running, sendSignal, start } from './process.ts'
import { waitFor } from '../instruments/wait.ts'
import { readFileSync } from 'node:fs'

/** Where commands run. */
export interface Place {
  readonly name: string
  /** Runs a shell command to its end: what it printed on stdout. Rejects with command, status and stderr otherwise. */
  run(command: string, stdin?: string): Promise<string>
  /** Starts a shell command and leaves it running; it replaces the shell, so that a signal reaches it. */
  spawn(command: string): Promise<Running>
  /** Starts a shell with a command and something on its stdin. */
  begin(command: string, stdin?: string): Promise<Running>
}

/** Something whose end closes what it started: ava's `t`, for example. */
export interface Owner {
  teardown(close: () => Promise<void>): void
}

/**
 * Shell commands that make a machine of its own, whose name is $1, of one whose /run and /etc are already: /var/lib holds the state of
 * dockerd, and /usr/local/bin what is installed there.
 */
export const OWN_MACHINE = `
mkdir -p /run/lock /run/flannel
mount -t tmpfs none /var/lib
mount -t tmpfs none /usr/local/bin
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
hostname "$1"
ip link set lo up
sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`

/** A place with a network namespace of its own. */
export interface Space extends Place {
  /** Of its pid 1, as this machine sees it: /proc/PID/ns/net names the network namespace. */
  readonly pid: number
  /** The words before a shell command that run it there. */
  readonly enter: readonly string[]
  close(): Promise<void>
}

// /run holds a host's own state (subnet.env, sockets, locks, names of namespaces); what is written to /etc stays in the
// space, its machine-id first. bash is pid 1 because it reaps whatever is left to it.
const INIT = `
set -e
mount -t tmpfs none /run
mkdir -p /run/etc/new /run/etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/new,workdir=/run/etc/work overlay /etc
${OWN_MACHINE}
echo ready
read -r _
`

/** Makes a space with nothing but loopback in it. */
export async function createSpace(name: string): Promise<Space> {
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--mount-proc']
  const child = spawn('unshare', [...namespaces, '--fork', '--kill-child', 'bash', '-c', INIT, 'init', name])
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()))
  const gone = new Promise<void>((resolve) =>
    child.on('close', () => {
      resolve()
    }),
  )
  const outer = child.pid ?? 0
  // The kernel makes a network namespace only when it is done taking down others, which may have had 60,000 routes.
  const ready = (): boolean => child.exitCode !== null || printed.includes('ready')
  await waitFor(`space ${name}`, ready, 60_000)
  if (child.exitCode !== null) throw new Error(`space ${name}: ${printed}`)
  const pid = Number(readFileSync(`/proc/${outer}/task/${outer}/children`, 'utf8').trim().split(' ')[0])
  const enter = ['nsenter', '-t', String(pid), '-n', '-m', '-p', '-u', '-i', 'sh', '-c']
  const place = placeOf(name, (command, stdin) => start([...enter, command], true, stdin))
  return {
    ...place,
    pid,
    enter,
    async close() {
      // The kernel kills every process of a pid namespace with its first one.
      sendSignal(pid, 'SIGKILL')
      await gone
    },
  }
}

/** A place whose commands are started by `begin`. */
export function placeOf(name: string, begin: (command: string, stdin?: string) => Promise<Running>): Place {
  return {
    name,
    begin,
    spawn: (command) => begin(`exec ${command}`),
    async run(command, stdin) {
      const running = await begin(command, stdin)
      const { code, signal } = await running.exit
      if (code === 0) return running.stdout()
      throw new Error(`${name}: ${command}: ${signal ?? `status ${code}`}: ${running.output().trim()}`)
    },
  }
}

/** A place inside another, entered by these words: `ip netns exec c1`. */
export function within(place: Place, name: string, words: string): Place {
  return placeOf(name, (command, stdin) =>
    place.begin(`exec ${words} sh -c '${command.replaceAll("'", `'\\''`)}'`, stdin),
  )
}

/** This machine itself, where only loopback may be spoken to; what still runs when `owner` ends is killed. */
export function thisMachine(owner: Owner): Place {
  const left = new Set<Running>()
  owner.teardown(async () => {
    await Promise.all([...left].map((running) => running.stop('SIGKILL')))
  })
  return placeOf('this machine', async (command, stdin) => {
    const running = await start(['sh', '-c', command], false, stdin)
    left.add(running)
    const forget = (): boolean => left.delete(running)
    running.exit.then(forget, forget)
    return running
  })
}
