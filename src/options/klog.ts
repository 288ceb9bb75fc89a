// klog's flags other than -v. Units written for Go's flanneld and glog have them, so they are accepted.
// They have no effect: the log goes to stderr, and the service manager keeps it.

/** Without dash, with whether each takes a value. -vmodule and -log_backtrace_at, which Go's flanneld shows, are in table.ts. */
export const KLOG_FLAGS: ReadonlyMap<string, 'boolean' | 'value'> = new Map([
  ['logtostderr', 'boolean'],
  ['alsologtostderr', 'boolean'],
  ['stderrthreshold', 'value'],
  ['log_dir', 'value'],
  ['log_file', 'value'],
  ['log_file_max_size', 'value'],
  ['skip_headers', 'boolean'],
  ['skip_log_headers', 'boolean'],
  ['add_dir_header', 'boolean'],
  ['one_output', 'boolean'],
])

/** The line of -help about them. */
export const KLOG_HELP = `Flags of klog are accepted without effect: ${[...KLOG_FLAGS.keys()].map((flag) => `-${flag}`).join(', ')}.`

/** A line about the given flags that would have sent the log elsewhere. */
export function klogWarnings(given: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const away = ['log_dir', 'log_file'].filter((flag) => (given.get(flag)?.at(-1) ?? '') !== '')
  if (/^(0|f|false)$/i.test(given.get('logtostderr')?.at(-1) ?? '')) away.unshift('logtostderr')
  if (away.length === 0) return []
  return [`${away.map((flag) => `-${flag}`).join(', ')}: accepted, but without effect: the log goes to stderr`]
}
