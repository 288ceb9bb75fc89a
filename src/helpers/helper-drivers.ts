// The drivers of all types of helpers, one line each.
import type { Helper, HelperPeer } from '../backend.ts'
import { charonDriver } from './charon/charon.ts'
import { commandsDriver } from './commands/commands.ts'
import type { HelperDriver } from './driver.ts'
import { forwarderDriver } from './forwarder.ts'

const DRIVERS: {
  readonly [T in Helper['type']]: HelperDriver<Extract<Helper, { type: T }>, Extract<HelperPeer, { type: T }>>
} = {
  charon: charonDriver,
  commands: commandsDriver,
  forwarder: forwarderDriver,
}

/** All types. */
export const HELPER_TYPES = Object.keys(DRIVERS) as readonly Helper['type'][]

/** The driver of a type; it takes helpers and peers of that type only. */
export function helperDriver(type: Helper['type']): HelperDriver<Helper, HelperPeer> {
  return DRIVERS[type]
}
