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

/** Milliseconds between two pings: ping rounds up to the kernel's tick of 4 ms, which would make 10 ms into 16. */
const BETWEEN = 8

/** Starts pinging every so many milliseconds; the first pings count as well. */
export async function startPings(from: Place, address: string, between = BETWEEN): Promise<Pings> {
  const running = await from.spawn(`ping -D -n -i ${between / 1000} ${address}`)
  // icmp_seq has 16 bits: enough for eight minutes.
  const answers = (): { at: number; sequence: number; took: number }[] =>
    Array.from(
      running.stdout().matchAll(/^\[([\d.]+)\] \d+ bytes from .* icmp_seq=(\d+) .* time=([\d.]+)/gm),
      (line) => ({
        at: Number(line[1]) * 1000,
        sequence: Number(line[2]),
        took: Number(line[3]),
      }),
    )
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
      // The last may have been on their way when ping was stopped: not lost, only not answered yet.
      const unanswered = total - Math.max(0, ...sequences)
      const longest = Math.max(0, ...seen.map((it) => it.took))
      const sent = unanswered <= Math.max(1, Math.ceil(longest / between)) ? total - unanswered : total
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
