// Reporting what happens in a part of the daemon: an event first, then a line in the log.
import type { Log } from '../log.ts'
import type { EventSink, HappenedEvent } from './events.ts'

/** A log whose lines, but for those of debug, are events of this kind as well; `bad` ones where they are no mere information. */
export function reporter(kind: HappenedEvent['kind'], log: Log, events: EventSink): Log {
  return {
    info: (text, above = 0) => {
      events.happened(kind, text, { bad: false })
      log.info(text, above + 1)
    },
    warn: (text, above = 0) => {
      events.happened(kind, text, { bad: true })
      log.warn(text, above + 1)
    },
    error: (text, above = 0) => {
      events.happened(kind, text, { bad: true })
      log.error(text, above + 1)
    },
    debug: (level, text, above = 0) => {
      log.debug(level, text, above + 1)
    },
    part: (name) => reporter(kind, log.part(name), events),
  }
}
