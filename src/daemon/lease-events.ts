// What the keeping of our lease means for the rest of the daemon: readiness, the overlay, and what an operator sees.
import type { LeaseEvents } from '../lease/keep.ts'
import type { RunningDaemon } from '../view/running-daemon.ts'
import type { Overlay } from '../overlay/overlay.ts'

/** Hears the keeper; the overlay is there by the time it tells anything. */
export function leaseNews(daemon: RunningDaemon, overlayOf: () => Overlay): LeaseEvents {
  const { readiness } = daemon
  daemon.renewal = { at: Date.now(), expires: undefined }
  return {
    onChanged: ({ subnet }) => {
      const overlay = overlayOf()
      if (subnet !== overlay.inputs.subnet) readiness.bad('subnet.env', `our subnet is ${subnet} now`)
      void overlay.update({ subnet })
      daemon.renewal = { at: Date.now(), expires: undefined }
    },
    onLost: (why) => {
      readiness.bad('lease', why)
    },
    onHeld: () => {
      readiness.good('lease')
    },
    onRenewed: (expires) => (daemon.renewal = { at: Date.now(), expires }),
  }
}
