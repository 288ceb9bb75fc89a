// Asks a daemon to stop, and notes how long that took: it promises two seconds in every state.
import type { ExecutionContext } from 'ava'
import type { Exit, Running } from '../world/process.ts'
import { record } from './reliability.ts'

/** A busy machine gets there later. Milliseconds. */
const LATEST = 60_000

/** Sends the signal and gives what became of the process. `state` is what it was doing, "with 1,000 peers". */
export async function stopAndRecord(
  t: ExecutionContext,
  daemon: Running,
  state: string,
  signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM',
): Promise<Exit> {
  const began = performance.now()
  const exit = await daemon.stop(signal, LATEST)
  const ms = Math.round(performance.now() - began)
  const promise = 'ends within 2 s, status 0'
  await record({ fault: `${signal} ${state}`, promise, limit: 2000, ms, test: t.title })
  return exit
}
