// The process as Node and the kernel see it, under the names that Prometheus' client libraries give these metrics
// (prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics), so that dashboards made for any Node program fit.
import { readFileSync, readdirSync } from 'node:fs'
import { type Metric, one } from './sample.ts'

/** Seconds since 1970. Computed once: a clock that is set later does not move the start. */
const STARTED = Math.round(Date.now() / 1000 - process.uptime())

const [MAJOR = '', MINOR = '', PATCH = ''] = process.version.slice(1).split('.')

/** The metrics of the process, in the order of a scrape. */
export const PROCESS_METRICS: readonly Metric[] = [
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start time of the process since unix epoch in seconds.',
    read: () => one(STARTED),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory size in bytes.',
    read: () => one(memory('VmRSS')),
  },
  {
    name: 'process_virtual_memory_bytes',
    type: 'gauge',
    help: 'Virtual memory size in bytes.',
    read: () => one(memory('VmSize')),
  },
  {
    name: 'process_heap_bytes',
    type: 'gauge',
    help: 'Process heap size in bytes.',
    read: () => one(memory('VmData')),
  },
  {
    name: 'nodejs_heap_size_total_bytes',
    type: 'gauge',
    help: 'Process heap size from Node.js in bytes.',
    read: () => one(process.memoryUsage().heapTotal),
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    help: 'Process heap size used from Node.js in bytes.',
    read: () => one(process.memoryUsage().heapUsed),
  },
  {
    name: 'nodejs_external_memory_bytes',
    type: 'gauge',
    help: 'Node.js external memory size in bytes.',
    read: () => one(process.memoryUsage().external),
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Number of open file descriptors.',
    // Without the one that the reading itself had open.
    read: () => one(unlessUnreadable(() => readdirSync('/proc/self/fd').length - 1)),
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'Maximum number of open file descriptors.',
    read: () => one(mostDescriptors()),
  },
  {
    name: 'nodejs_version_info',
    type: 'gauge',
    help: 'Node.js version info.',
    read: () => [{ labels: { version: process.version, major: MAJOR, minor: MINOR, patch: PATCH }, value: 1 }],
  },
]

/** Bytes of a line of proc_pid_status(5), which gives them in kB. */
function memory(field: 'VmRSS' | 'VmSize' | 'VmData'): number | undefined {
  const kilobytes = lineOf('/proc/self/status', new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm'))
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** The soft limit of proc_pid_limits(5). */
function mostDescriptors(): number | undefined {
  const limit = lineOf('/proc/self/limits', /^Max open files +(\S+)/m)
  return limit === 'unlimited' ? Infinity : limit === undefined ? undefined : Number(limit)
}

function lineOf(file: string, pattern: RegExp): string | undefined {
  return unlessUnreadable(() => pattern.exec(readFileSync(file, 'utf8'))?.[1])
}

/** Reading needs a descriptor itself. Without one, the scrape shows everything else. */
function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
