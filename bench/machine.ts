// The machine that figures were taken on, in a line: without it they mean nothing.
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'

/** Processor, cores, kernel, node, date, and the load before and after, which says how much else was going on. */
export function machineLine(loadBefore: number): string {
  const model = cpus()[0]?.model.replaceAll(/\s+/g, ' ').trim() ?? 'unknown processor'
  const memory = Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) / 1e6
  const load = `load ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const cores = availableParallelism()
  return `${model}, ${cores} cores, ${memory.toFixed(0)} GB; Linux ${release()}; Node ${process.version}; ${load}; ${date}`
}
