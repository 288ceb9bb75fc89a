// What the kernel says a process used (proc(5)).
import { readFileSync } from 'node:fs'

/** User and system time in milliseconds; in steps of ten. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Resident memory in MB: all of it, and what is the process's own (without pages of files). */
export function residentMB(pid: number): { readonly all: number; readonly own: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6
  return { all: field('VmRSS'), own: field('RssAnon') }
}

/** Milliseconds that all processors together were busy since boot, steal aside. */
export function machineBusyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).slice(1) ?? []
  ).map(Number)
  return (user + nice + system + irq + softirq) * 10
}
