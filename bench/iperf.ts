// TCP through iperf3: what gets through, and the processor time it takes.
import type { Place } from '../test/lab/world/space.ts'
import { machineBusyMs } from './proc.ts'

/** One measurement. */
export interface Sample {
  readonly gbits: number
  /** Percent of a core, of the whole machine, per Gbit/s. */
  readonly cpu: number
}

/** Sends from a place to an iperf3 server, by so many streams at once. */
export async function send(from: Place, address: string, count: number, seconds: number): Promise<Sample> {
  const [busy, began] = [machineBusyMs(), performance.now()]
  const text = await from.run(`iperf3 -c ${address} -t ${seconds} -P ${count} -J`)
  const share = ((machineBusyMs() - busy) / (performance.now() - began)) * 100
  const report = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }
  const gbits = report.end.sum_received.bits_per_second / 1e9
  return { gbits, cpu: share / gbits }
}
