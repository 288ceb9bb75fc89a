// WireGuard devices of a program (wireguard-go): a TUN device and a Unix socket named after it. The program goes on when this
// process ends, and ends when its device is deleted.
// Invariant: every exchange ends within a second; what is kept of an answer is bounded.
import { createConnection } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type KernelError, messageOf } from '../../errors.ts'
import { addon } from '../../netlink/addon.ts'
import { SOL_SOCKET, SO_PEERCRED } from '../../netlink/constants.ts'
import { ERRNO, kernelError } from '../../netlink/errno.ts'
import type { WireguardDeviceWrite, WireguardPeerWrite, WireguardRecord } from '../../netlink/wireguard.ts'
import { killProcess, runChild } from '../../process/child.ts'
import type { WireguardTransport } from './transport.ts'
import { END, GET, readUapi, setDevice, setPeer } from './uapi.ts'

/** Where programs put their sockets (https://www.wireguard.com/xplatform/). */
const FOLDER = '/var/run/wireguard'
const LIMIT_MS = 1000
/** A peer takes some 400 bytes. */
const MOST_BYTES = 64 * 1024 * 1024
/** How long a program may take to make its device, and the one before it to end. */
const START_MS = 5000
const LOOK_MS = 10

function socketOf(device: string): string {
  return `${FOLDER}/${device}.sock`
}

export class ProgramTransport implements WireguardTransport {
  async read(device: string): Promise<WireguardRecord | undefined> {
    const answer = await exchange(device, GET)
    return typeof answer === 'string' && errnoIn(answer) === 0 ? readUapi(answer) : undefined
  }

  async write(device: string, change: WireguardDeviceWrite): Promise<void> {
    const error = await request(device, setDevice(change))
    if (error !== undefined) throw error
  }

  async writePeers(device: string, peers: readonly WireguardPeerWrite[]): Promise<ReadonlyMap<number, KernelError>> {
    const refused = new Map<number, KernelError>()
    for (const [at, peer] of peers.entries()) {
      const error = await request(device, setPeer(peer))
      if (error !== undefined) refused.set(at, error)
    }
    return refused
  }

  close(): void {
    // Each exchange has a connection of its own.
  }
}

/** Starts a program that makes a device and stays in the background. Rejects with KernelError. */
export async function startProgram(program: string, device: string): Promise<void> {
  await endProgram(device)
  let failure = ''
  try {
    const { status, stderr } = await runChild(program, [device], { input: '', limitMs: START_MS, outputBytes: 65_536 })
    if (status !== 0) failure = stderr.trim().split('\n').at(-1) ?? `status ${status ?? 'unknown'}`
  } catch (error) {
    failure = messageOf(error)
  }
  if (failure === '' && (await answersWithin(device))) return
  const detail = failure === '' ? 'it does not answer' : failure
  throw kernelError(program, { errno: ERRNO.ENODEV, detail })
}

async function answersWithin(device: string): Promise<boolean> {
  const until = performance.now() + START_MS
  while (performance.now() < until) {
    if (typeof (await exchange(device, GET)) === 'string') return true
    await pause(LOOK_MS)
  }
  return false
}

/** Has the program that still has a device's socket end: its device is gone, or it does not answer. */
async function endProgram(device: string): Promise<void> {
  if (await endsWithin(device, LIMIT_MS)) return
  const pid = listener(device)
  if (pid !== undefined && pid > 0) killProcess(pid)
  await endsWithin(device, LIMIT_MS)
}

async function endsWithin(device: string, ms: number): Promise<boolean> {
  const until = performance.now() + ms
  while (listener(device) !== undefined) {
    if (performance.now() > until) return false
    await pause(LOOK_MS)
  }
  return true
}

/** The process that listens on a device's socket. */
function listener(device: string): number | undefined {
  const fd = addon().connectUnix(socketOf(device))
  if (fd < 0) return undefined
  const ucred = new Uint8Array(12)
  const length = addon().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ucred)
  addon().close(fd)
  return length === ucred.length ? new DataView(ucred.buffer).getInt32(0, true) : undefined
}

async function request(device: string, text: string): Promise<KernelError | undefined> {
  const answer = await exchange(device, text)
  if (typeof answer !== 'string') return answer
  const errno = errnoIn(answer)
  return errno === 0 ? undefined : kernelError(device, { errno, detail: '' })
}

function errnoIn(answer: string): number {
  return Math.abs(Number(END.exec(answer)?.[1] ?? ERRNO.EPROTO))
}

/** What the program answers to a text; or why it does not. Never rejects. */
function exchange(device: string, text: string): Promise<string | KernelError> {
  return new Promise((resolve) => {
    const socket = createConnection(socketOf(device))
    const chunks: Buffer[] = []
    let bytes = 0
    const done = (result: string | KernelError): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(result)
    }
    const fail = (errno: number, detail: string): void => {
      done(kernelError(device, { errno, detail }))
    }
    const limit = setTimeout(() => {
      fail(ERRNO.ETIMEDOUT, `${socketOf(device)}: no answer`)
    }, LIMIT_MS)
    socket.on('error', ({ message }) => {
      fail(ERRNO.ENODEV, message)
    })
    socket.on('close', () => {
      fail(ERRNO.EPIPE, `${socketOf(device)}: closed`)
    })
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MOST_BYTES) fail(ERRNO.E2BIG, `${socketOf(device)}: more than ${MOST_BYTES} bytes`)
      // An empty line ends an answer.
      else if (chunk.at(-1) === NEWLINE) {
        const answer = Buffer.concat(chunks).toString()
        if (END.test(answer)) done(answer)
      }
    })
    socket.write(text)
  })
}

/** ASCII. */
const NEWLINE = 10
