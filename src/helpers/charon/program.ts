// charon as a process: one that an earlier daemon left is gone on with, so that a restart of the daemon costs no packet.
// Invariants: its files are in a folder of our own that is closed to others; it reads no config of the system's strongSwan and no
// other program is disturbed; keys are on no command line and in no file.
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { access, chmod, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { CharonHelper } from '../../health/outside-kernel.ts'
import { OperatorError, messageOf } from '../../errors.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { killProcess, launch } from '../../process/child.ts'
import { printable } from '../../text/plain-text.ts'
import { ViciClient } from '../vici/client.ts'

/** The folder of charon's socket, config and output. */
export const CHARON_FOLDER = '/run/flannel/charon'

/** charon listens on its socket within a tenth of a second; a busy host takes longer. */
const START_MS = 10_000
/** For its farewells to peers. */
const END_MS = 2000

/** A charon that answers. */
export interface Charon {
  readonly pid: number
  readonly client: ViciClient
}

/** The path of the VICI socket in a folder. */
function viciSocket(folder: string): string {
  return join(folder, 'vici')
}

/** The charon that runs in this folder, or a new one. Rejects with the cause and what to do. */
export async function openCharon(folder: string, wanted: Pick<CharonHelper, 'programs' | 'fix'>): Promise<Charon> {
  const left = await leftCharon(folder)
  if (left !== undefined) return left
  const program = await findCharon(wanted)
  await makeFolder(folder)
  await chmod(folder, 0o700)
  rmSync(viciSocket(folder), { force: true })
  writeFileSync(join(folder, 'strongswan.conf'), configIn(folder))
  const output = join(folder, 'output')
  const pid = await begin(program, folder, output)
  writeFileSync(join(folder, 'pid'), `${pid}\n`)
  for (const deadline = performance.now() + START_MS; performance.now() < deadline;) {
    const client = await ViciClient.open(viciSocket(folder)).catch(() => undefined)
    if (client !== undefined) return { pid, client }
    if (!isRunning(pid)) throw new OperatorError(`${program} ended at its start: ${lastWords(output)}`)
    await pause(50)
  }
  killProcess(pid)
  throw new OperatorError(`${program} does not answer within ${START_MS} ms: ${lastWords(output)}`)
}

/** Ends the charon of a folder, which says farewell to its peers; resolves when it is gone. */
export async function endCharon(folder: string): Promise<void> {
  const pid = pidIn(folder)
  if (pid !== undefined) {
    killProcess(pid, 'SIGTERM')
    for (const deadline = performance.now() + END_MS; isRunning(pid) && performance.now() < deadline;) await pause(20)
    if (isRunning(pid)) killProcess(pid)
  }
  rmSync(folder, { recursive: true, force: true })
}

/** Whether an earlier run left a charon, or what is left of one. */
export function isLeft(folder: string): boolean {
  return existsSync(folder)
}

/** The one that an earlier daemon started. */
async function leftCharon(folder: string): Promise<Charon | undefined> {
  const pid = pidIn(folder)
  if (pid === undefined) return undefined
  const client = await ViciClient.open(viciSocket(folder)).catch(() => undefined)
  if (client === undefined) {
    // One that takes no orders keeps the ports.
    killProcess(pid)
    return undefined
  }
  return { pid, client }
}

/** The process of a folder's charon, while it lives. */
function pidIn(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    // The number may have become that of another program.
    const isCharon = Number.isSafeInteger(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('charon')
    return isCharon && isRunning(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

async function findCharon({ programs, fix }: Pick<CharonHelper, 'programs' | 'fix'>): Promise<string> {
  for (const path of programs) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  throw new OperatorError(`no charon in ${programs.join(', ')}: ${fix}`)
}

/** Starts it as a process that outlives this one. Rejects with the system's error. */
async function begin(program: string, folder: string, path: string): Promise<number> {
  const output = openSync(path, 'w', 0o600)
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', STRONGSWAN_CONF: join(folder, 'strongswan.conf') }
  try {
    return await launch(program, { environment, output })
  } catch (error) {
    throw new OperatorError(`${program}: ${messageOf(error)}`)
  } finally {
    closeSync(output)
  }
}

/**
 * strongswan.conf(5). Plugins that are not there are passed over; those that read the system's config, or change routes, are not
 * among them. Errors go to `output`, everything else to us by VICI.
 */
function configIn(folder: string): string {
  return `# Written by flanneld at each start of charon.
charon {
  load = random nonce openssl aes des sha1 sha2 sha3 md5 hmac gmp curve25519 kdf gcm ccm ctr chapoly af-alg kernel-netlink socket-default vici
  install_routes = no
  install_virtual_ip = no
  retransmit_timeout = 2.0
  retransmit_tries = 3
  plugins {
    vici {
      socket = unix://${viciSocket(folder)}
    }
  }
  filelog {
    stderr {
      default = -1
      dmn = 0
      lib = 0
      net = 0
      knl = 0
    }
  }
  syslog {
    daemon {
      default = -1
    }
    auth {
      default = -1
    }
  }
}
`
}

function lastWords(output: string): string {
  try {
    const lines = readFileSync(output, 'utf8').trim().split('\n').slice(-3).join('; ')
    return lines === '' ? 'it says nothing' : printable(lines, 500)
  } catch {
    return 'it says nothing'
  }
}

/** The ports of IKE (RFC 7296) and of ESP in UDP (RFC 3948). */
const PORTS: readonly number[] = [500, 4500]
/** It binds them before it answers, a busy host aside. */
const BIND_MS = 1000

/** A port that charon could not have: it says so nowhere, and goes on without. Undefined when it has both. */
export async function missingPort(pid: number): Promise<number | undefined> {
  for (const deadline = performance.now() + BIND_MS; ;) {
    const own = socketsOf(pid)
    const bound = boundPorts(own)
    const missing = PORTS.find((port) => !bound.has(port))
    if (missing === undefined || performance.now() > deadline) return missing
    await pause(50)
  }
}

/** The UDP ports that a charon of ours has, of this run or an earlier one. */
export function charonPorts(): ReadonlySet<number> {
  const pid = pidIn(CHARON_FOLDER)
  return pid === undefined ? new Set() : boundPorts(socketsOf(pid))
}

/** The inodes of a process's sockets. */
function socketsOf(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`
  try {
    return new Set(readdirSync(folder).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkAt(join(folder, fd)))?.[1] ?? []))
  } catch {
    return new Set()
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed meanwhile.
    return ''
  }
}

/** The UDP ports of sockets, by their inodes (proc_net_udp(5): local address and port in hex, the tenth word is the inode). */
function boundPorts(inodes: ReadonlySet<string>): ReadonlySet<number> {
  const lines = readFileSync('/proc/self/net/udp', 'utf8').split('\n').slice(1)
  return new Set(
    lines.flatMap((line) => {
      const words = line.trim().split(/\s+/)
      const port = Number.parseInt(words[1]?.split(':')[1] ?? '', 16)
      return inodes.has(words[9] ?? '') ? [port] : []
    }),
  )
}

function isRunning(pid: number): boolean {
  try {
    // A process that has ended is there until its parent asks: it has no memory any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
