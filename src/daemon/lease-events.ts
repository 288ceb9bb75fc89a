// What the keeping of our lease means for readiness and for the overlay.
import type { Readiness } from '../health/readiness.ts'
import type { LeaseEvents } from '../lease/keep.ts'
import type { Overlay } from '../overlay/overlay.ts'
import { primarySubnet } from '../lease/lease.ts'

/** Listens to the keeper; the overlay is there by the time it reports anything. */
export function leaseNews(readiness: Readiness, overlayOf: () => Overlay): LeaseEvents {
  return {
    onChanged: (lease) => {
      const subnet = primarySubnet(lease)
      const overlay = overlayOf()
      if (subnet !== overlay.inputs.subnet) readiness.bad('subnet.env', 'subnet-changed', `our subnet is ${subnet} now`)
      void overlay.update({ subnet })
    },
    onLost: (why) => {
      readiness.bad('lease', 'lease-lost', why)
    },
    onHeld: () => {
      readiness.good('lease')
    },
  }
}
