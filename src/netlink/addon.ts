// The door to the C addon (socket.c): its types, and where it is found.
// Invariant: loaded at most once per process; when it cannot be, one line says where it was looked for and why not.
import { closeSync, constants, openSync, realpathSync, writeSync } from 'node:fs'
import { constants as os } from 'node:os'
import { dirname, join } from 'node:path'
import { OperatorError, messageOf } from '../errors.ts'

declare const handle: unique symbol

/** A running poll; to be given to pollStop once, then dropped. */
export type PollHandle = { readonly [handle]: 'PollHandle' }

/**
 * System calls. None blocks; every number returned is a result or, negative, an errno.
 * `netns` is the path of a network namespace (/var/run/netns/x): a socket belongs for life to the one it was made in.
 */
export interface Addon {
  /** socket(2), with SOCK_CLOEXEC and SOCK_NONBLOCK: a file descriptor. */
  socket(domain: number, type: number, protocol: number, netns?: string): number
  /** open(2), with O_CLOEXEC and O_NONBLOCK, mode 0600: a file descriptor. */
  open(path: string, flags: number, netns?: string): number
  /** bind(2) of a netlink socket to a port the kernel picks, which is returned; `groups` is the old 32-bit mask. */
  bindNetlink(fd: number, groups: number): number
  setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): number
  /** Length of the value put into `into`. */
  getsockopt(fd: number, level: number, name: number, into: Uint8Array): number
  /** The first `length` bytes in one message to the peer; for netlink the kernel. */
  send(fd: number, data: Uint8Array, length: number): number
  /** The next message of the kernel: its length, more than `into` holds when it was cut. */
  recvNetlink(fd: number, into: Uint8Array): number
  /** One datagram to a Unix socket; "@name" is an abstract one. */
  sendUnix(path: string, data: Uint8Array): number
  ioctl(fd: number, request: number, argument: Uint8Array): number
  read(fd: number, into: Uint8Array): number
  write(fd: number, data: Uint8Array): number
  /** Any poll of it must have been stopped. */
  close(fd: number): number
  /** Level triggered. `status` is 0 or a negative errno, after which the poll rests until pollAgain. */
  pollStart(fd: number, events: number, callback: (status: number, events: number) => void): PollHandle | number
  pollAgain(poll: PollHandle, events: number): number
  pollStop(poll: PollHandle): number
  /** Gives back the resident pages of the program's own file; what is needed comes back by itself. */
  releaseProgram(): number
}

/** An event of pollStart (uv.h). */
export const READABLE = 1

const FILE = 'kernel_socket.node'
/** Unnamed files want a folder that can be written and is not mounted noexec. */
const TEMPORARY = ['/run', '/tmp', '/var/tmp', '/dev/shm']
/** O_TMPFILE of fcntl(2): (__O_TMPFILE | O_DIRECTORY), the same bits on amd64 and arm64 but for O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

let loaded: Addon | undefined

/** The addon. Throws OperatorError when it cannot be loaded. */
export function addon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const tried: string[] = []
  const places = embedded() ?? besideProgram().map((path) => () => dlopen(path))
  for (const open of places) {
    try {
      return open()
    } catch (error) {
      tried.push(messageOf(error))
    }
  }
  throw new OperatorError(`kernel sockets: ${FILE}: cannot be loaded: ${tried.join('; ')}`)
}

function dlopen(path: string): Addon {
  const module = { exports: {} }
  process.dlopen(module, path, os.dlopen.RTLD_NOW)
  return module.exports as Addon
}

/** Inside a single executable: ways to load the addon from its assets. */
function embedded(): (() => Addon)[] | undefined {
  const sea = process.getBuiltinModule('node:sea')
  if (!sea.isSea()) return undefined
  const image = new Uint8Array(sea.getRawAsset(FILE))
  return TEMPORARY.map((folder) => () => loadUnnamed(folder, image))
}

/** Loads an image from a file without a name, so that nothing is left behind or can be exchanged. */
function loadUnnamed(folder: string, image: Uint8Array): Addon {
  const fd = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o700)
  try {
    for (let at = 0; at < image.length;) at += writeSync(fd, image, at)
    return dlopen(`/proc/self/fd/${fd}`)
  } finally {
    closeSync(fd)
  }
}

/** Beside the bundle that runs, and in the tree's build folder when run from source. */
function besideProgram(): string[] {
  const program = process.argv[1]
  const beside = program === undefined ? [] : [join(dirname(real(program)), FILE)]
  // A CommonJS bundle has no import.meta.url; the source tree has.
  const source: string | undefined = import.meta.url
  return source === undefined ? beside : [new URL(`../../build/${FILE}`, source).pathname, ...beside]
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
