// Reports remarks on a valid network config: once in the log, and in the status while it runs.
import type { Conditions } from '../health/conditions.ts'
import type { Configuration } from './configuration.ts'
import type { Log } from '../log.ts'

/** The condition's code. */
const CODE = 'network-config'

/** Reports the remarks. Without any, the condition is cleared. */
export function reportRemarks({ remarks }: Configuration, log: Log, conditions: Conditions): void {
  if (remarks.length === 0) return void conditions.clear(CODE)
  const level = remarks.some((remark) => remark.level === 'warning') ? 'warning' : 'note'
  const text = remarks.map((remark) => remark.text).join('; ')
  const isNew = conditions.set(CODE, { level, gist: 'network config', text, run: 'flanneld config get' })
  if (isNew) for (const remark of remarks) log[remark.level === 'warning' ? 'warn' : 'info'](remark.text)
}

/** Reports that a stored config is refused: a fault until another one is accepted or the running one is stored again. */
export function reportRefused(why: string, log: Log, conditions: Conditions): void {
  const text = `${why}; keeping the running config`
  log.error(text)
  conditions.set('config-refused', { level: 'fault', gist: 'network config refused', text, run: 'flanneld config get' })
}

/** Clears the fault of a refused config. */
export function clearRefused(conditions: Conditions): void {
  conditions.clear('config-refused')
}
