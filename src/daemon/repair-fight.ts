// Reports a fight over one of our objects as a standing fault: once when it starts, once when it ends.
import type { Conditions } from '../health/conditions.ts'
import type { EventSink } from '../health/events.ts'
import type { Log } from '../log.ts'
import type { Fights } from '../reconcile/fights.ts'

const CODE = 'repair-fight'

/** Called after each pass. */
export function reportFights(fights: Fights, conditions: Conditions, events: EventSink, log: Log): void {
  const object = fights.current()
  if (object === undefined) {
    if (!conditions.clear(CODE)) return
    log.info('no object of ours is changed again and again any more')
    events.happened('repair', 'no object of ours is changed again and again any more')
    return
  }
  const text = `${object}: changed by another program as often as it is repaired: a second flanneld (Go's, k3s'), a network manager or a script: find it, and stop it or keep it off this object`
  const fresh = conditions.set(CODE, {
    level: 'fault',
    gist: `another program keeps changing ${object}`,
    text,
    run: 'flanneld events -follow',
  })
  if (!fresh) return
  log.error(text)
  events.happened('repair', text, { bad: true })
}
