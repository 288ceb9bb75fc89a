// A controller whose signal any number of parts may listen to: the one that stops the daemon is listened to by each turn of
// the prober. Node 20 takes more than ten listeners for a leak, and says so.
import { setMaxListeners } from 'node:events'

/** Makes one. */
export function newStop(): AbortController {
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  return stop
}
