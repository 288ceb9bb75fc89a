// What a daemon complains about, as an operator reads it: its lines of severity error and warning.
import type { Running } from '../world/process.ts'

/** A klog line: severity, date, time, pid, file:line, then the text. */
const KLOG = /^([IWEF])\d{4} [\d:.]+ +\d+ \w[\w./-]*:\d+\] (.*)$/

/** Said when etcd has not answered for a moment, as it may on a busy machine. */
const SLOW = /: no answer; waiting$/

/** The texts of error lines so far, without klog's head, but for those that say that etcd is slow. */
export function errors(daemon: Running): readonly string[] {
  return allErrors(daemon).filter((line) => !SLOW.test(line))
}

/** The same with those. Before the log is open lines start with "flanneld: ". */
export function allErrors(daemon: Running): readonly string[] {
  return texts(daemon, 'E')
}

/** The texts of warnings so far. */
export function warnings(daemon: Running): readonly string[] {
  return texts(daemon, 'W')
}

/** Lines that are neither klog's nor a refusal of the command line nor the usage after one: there should be none. */
export function strays(daemon: Running): readonly string[] {
  const [said = ''] = daemon.output().split('\nUsage: ')
  return said.split('\n').filter((line) => line !== '' && !KLOG.test(line) && !line.startsWith('flanneld: '))
}

function texts(daemon: Running, severity: string): readonly string[] {
  return daemon
    .output()
    .split('\n')
    .flatMap((line) => {
      if (severity === 'E' && line.startsWith('flanneld: ')) return [line.slice('flanneld: '.length)]
      const [, found, text] = KLOG.exec(line) ?? []
      return found === severity && text !== undefined ? [text] : []
    })
}
