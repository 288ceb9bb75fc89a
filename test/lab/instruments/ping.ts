// A hundred and more pings a second from one place to an address: how many were not answered, and for how long none was.
import type { Place } from '../world/space.ts'

/** What became of the pings. */
export interface PingReport {
  readonly sent: number
  readonly received: number
  readonly lost: number
  /** The longest time between two answers, or between the last one and the end, in milliseconds. */
  readonly longestGap: number
}

/** Pings under way. */
export interface Pings {
  /** Answers so far. */
  received(): number
  stop(): Promise<PingReport>
}

/** Starts pinging with `size` bytes of payload; the first pings count as well. */
export async function startPings(from: Place, address: string, size = 56): Promise<Pings> {
  // Every 8 ms: ping rounds up to the kernel's tick of 4 ms, which would make 10 ms into 16.
  const running = await from.spawn(`ping -D -n -s ${size} -i 0.008 ${address}`)
  // icmp_seq has 16 bits: enough for eight minutes.
  const answers = (): { at: number; sequence: number }[] =>
    Array.from(running.stdout().matchAll(/^\[([\d.]+)\] \d+ bytes from .* icmp_seq=(\d+) /gm), (line) => ({
      at: Number(line[1]) * 1000,
      sequence: Number(line[2]),
    }))
  return {
    received: () => answers().length,
    async stop() {
      const end = Date.now()
      // At SIGINT ping prints its totals.
      await running.stop('SIGINT')
      const total = Number(/^(\d+) packets transmitted/m.exec(running.stdout())?.[1])
      if (!Number.isInteger(total)) throw new Error(`ping ${address}: ${running.output()}`)
      const seen = answers()
      const sequences = new Set(seen.map((it) => it.sequence))
      // The last may have been on its way when ping was stopped: not lost, only not answered yet.
      const sent = sequences.has(total) || !sequences.has(total - 1) ? total : total - 1
      const times = [...seen.map((it) => it.at), end]
      const gaps = times.slice(1).map((at, i) => at - (times[i] ?? at))
      return {
        sent,
        received: sequences.size,
        lost: sent - sequences.size,
        longestGap: seen.length === 0 ? Infinity : Math.round(Math.max(0, ...gaps)),
      }
    },
  }
}
