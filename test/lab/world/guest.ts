// A host with a kernel of its own, on a local network of the lab. It has this machine's files, and what it writes stays its own.
// Invariant: it ends with the lab.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { expectSlowness, waitFor } from '../instruments/wait.ts'
import { guestCommands } from './guest-commands.ts'
import { guestInit } from './guest-init.ts'
import { type Kernel, bootCommand } from './kernel.ts'
import type { Lan } from './lab.ts'
import { sendSignal } from './process.ts'
import { type Owner, type Place, placeOf } from './space.ts'
import { tempFolder } from './temp-folder.ts'

/** A host of another kernel. The `pid` of what runs in it is NaN. */
export interface Guest extends Place {
  readonly kernel: Kernel
  /** Its addresses, on `enp0s3`. */
  readonly address: string
  readonly address6: string
  /** Switches it off, as by its plug. */
  close(): Promise<void>
}

/** How many times slower a program may be in emulation, on a machine that does other things too. A boot takes 3 to 5 s of processor time. */
const SLOWNESS = 4

/** Boots a kernel as the host whose address ends in `last`, and waits until it takes commands. */
export async function bootGuest(owner: Owner, lan: Lan, last: number, kernel: Kernel): Promise<Guest> {
  expectSlowness(SLOWNESS)
  const name = `host${last}`
  const folder = tempFolder(owner, 'flanneld-kernel')
  writeFileSync(`${folder}/init`, guestInit(kernel, name, folder), { mode: 0o755 })
  const socket = await lan.socket(last)
  // A pid namespace of its own, since User-Mode Linux is many processes.
  const own = ['unshare', '--pid', '--fork', '--kill-child']
  const [program = '', ...args] = [...socket.enter, ...own, ...bootCommand(kernel, { folder, last, ...socket })]
  const screen = openSync(`${folder}/console`, 'w')
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', screen] }) as ChildProcessByStdio<
    Writable,
    Readable,
    null
  >
  closeSync(screen)
  const commands = guestCommands(child.stdin, child.stdout, folder)
  const gone = new Promise<void>((resolve) => {
    child.on('close', () => {
      commands.off()
      resolve()
    })
  })
  const said = (): string => `${readFileSync(`${folder}/console`, 'utf8').slice(-4000)}\n${commands.noise()}`
  const up = (): boolean => commands.isReady() || child.exitCode !== null
  await waitFor(`${name} to boot ${kernel}`, up).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${said()}`, { cause: error })
  })
  if (!commands.isReady()) throw new Error(`${name}: ${kernel} ended with ${child.exitCode}: ${said()}`)
  const place = placeOf(name, (command, stdin) => commands.begin(command, stdin))
  await place.run(socket.configure)
  const { address, address6 } = socket
  return {
    ...place,
    kernel,
    address,
    address6,
    async close() {
      const pid = child.pid ?? 0
      const unshare = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
      if (unshare > 0) sendSignal(unshare, 'SIGKILL')
      await gone
    },
  }
}
