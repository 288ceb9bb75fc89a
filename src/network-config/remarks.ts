// What is to be said of a network config that is good: once in the log, and in the status for as long as it runs.
import type { Conditions } from '../health/conditions.ts'
import type { Configuration } from './configuration.ts'
import type { Log } from '../log.ts'

/** The condition's code. */
const CODE = 'network-config'

/** Tells them. No remarks end the condition. */
export function reportRemarks({ remarks }: Configuration, log: Log, conditions: Conditions): void {
  if (remarks.length === 0) return void conditions.clear(CODE)
  const level = remarks.some((remark) => remark.level === 'warning') ? 'warning' : 'note'
  const text = remarks.map((remark) => remark.text).join('; ')
  const isNew = conditions.set(CODE, { level, gist: 'network config', text, run: 'flanneld config get' })
  if (isNew) for (const remark of remarks) log[remark.level === 'warning' ? 'warn' : 'info'](remark.text)
}

/** Tells that a stored config is not taken: a fault until another one is, or the running one is stored again. */
export function reportRefused(why: string, log: Log, conditions: Conditions): void {
  const text = `${why}; keeping the running config`
  log.error(text)
  conditions.set('config-refused', { level: 'fault', gist: 'network config refused', text, run: 'flanneld config get' })
}

/** Ends that. */
export function clearRefused(conditions: Conditions): void {
  conditions.clear('config-refused')
}
