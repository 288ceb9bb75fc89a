// etcd's alarms: states of the cluster that stand until an operator clears them, in which it refuses writes or all requests.
// Pure. https://etcd.io/docs/v3.4/op-guide/maintenance/#space-quota

/** An alarm as etcd names it. */
export type Alarm = 'NOSPACE' | 'CORRUPT'

/** What an alarm means, and what to do about it before it is cleared. */
const MEANING: Readonly<Record<Alarm, string>> = {
  NOSPACE:
    'its store is full and every write is refused: no host can join or change its lease; compact and defragment it, or raise --quota-backend-bytes',
  CORRUPT: 'its members differ in what they hold and everything is refused: replace the members that are wrong',
}

/** What is reported to the operator about alarms, and the command that clears them. */
export interface AlarmText {
  readonly gist: string
  readonly text: string
  readonly run: string
}

/** The alarms in what a member says of itself ("memberID:8211f1d0f64f3269 alarm:NOSPACE " each), every one once. */
export function alarmsIn(errors: readonly string[]): readonly Alarm[] {
  return (Object.keys(MEANING) as Alarm[]).filter((alarm) => errors.some((text) => text.includes(`alarm:${alarm}`)))
}

/** What to say of them; `endpoints` are URLs. */
export function textOf([first, ...others]: readonly [Alarm, ...Alarm[]], endpoints: readonly string[]): AlarmText {
  const meanings = [first, ...others].map((alarm) => `etcd raised the alarm ${alarm}: ${MEANING[alarm]}`)
  return {
    gist: `etcd alarm ${[first, ...others].join(', ')}`,
    text: `${meanings.join('; ')}; the alarm then has to be cleared by hand`,
    run: clearingAt(endpoints.join(',')),
  }
}

/** The same in few words, to end an error with. */
export function shortTextOf(alarm: Alarm, endpoints: string): string {
  const first =
    alarm === 'NOSPACE' ? 'make room (etcdctl compact, etcdctl defrag)' : 'replace the members that are wrong'
  return `alarm ${alarm}: ${first}, then: ${clearingAt(endpoints)}`
}

/** The command that clears all alarms. */
function clearingAt(endpoints: string): string {
  return `etcdctl --endpoints=${endpoints} alarm disarm`
}
