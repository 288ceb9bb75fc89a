// Open TCP streams between two containers, to see them survive: each echoes a byte fifty times a second.
import type { Container } from '../world/container.ts'
import type { Running } from '../world/process.ts'
import { tryUpTo, waitFor } from './wait.ts'

/** What became of the streams. */
export interface StreamReport {
  /** Still open, and answered after the request to stop. */
  readonly alive: number
  /** Bytes that came back. */
  readonly echoes: number
}

/** Streams under way. */
export interface Streams {
  stop(): Promise<StreamReport>
}

const PORT = 7000

const SERVER = `require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(${PORT}, () => console.log('ready'))`

const CLIENT = `
  const [address, count] = process.argv.slice(1)
  let open = 0, echoes = 0, stopping = false
  const alive = new Set()
  for (let i = 0; i < Number(count); i++) {
    const socket = require('node:net').connect(${PORT}, address, () => ++open == count && console.log('ready'))
    const timer = setInterval(() => socket.write('x'), 20)
    socket.on('error', (error) => console.error(error.message)).on('close', () => { clearInterval(timer); alive.delete(socket) })
    socket.on('data', () => { echoes++; if (stopping) alive.add(socket) })
  }
  process.on('SIGTERM', () => {
    stopping = true
    const end = () => { console.log(JSON.stringify({ alive: alive.size, echoes })); process.exit() }
    setInterval(() => alive.size == count && end(), 10)
    setTimeout(end, 5000)
  })`

/** Opens `count` streams and waits until they are. */
export async function startStreams(
  log: (line: string) => void,
  from: Container,
  to: Container,
  count = 32,
): Promise<Streams> {
  const server = await to.spawn(`${process.execPath} -e "${SERVER}"`)
  await server.line(/ready/)
  // It ends by itself when no stream could be opened.
  const open = async (): Promise<Running> => {
    const begun = await from.spawn(`${process.execPath} -e "${CLIENT}" ${to.address} ${count}`)
    await begun.line(/ready/)
    return begun
  }
  const client = await tryUpTo(3, `${count} streams`, open, log)
  return {
    async stop() {
      await client.stop('SIGTERM')
      await server.stop('SIGTERM')
      const report = client
        .stdout()
        .split('\n')
        .find((line) => line.startsWith('{'))
      if (report === undefined) throw new Error(`streams: ${client.output()}`)
      return JSON.parse(report) as StreamReport
    },
  }
}

/** Waits until `count` more pings were answered. */
export async function waitForMorePings(pings: { received(): number }, count: number): Promise<void> {
  const before = pings.received()
  await waitFor(`${count} more pings`, () => pings.received() >= before + count)
}
