// Carrying packets between a TUN device and a UDP socket.
import type { ForwarderHelper, ForwarderPeer } from '../backend.ts'
import type { HelperDriver } from './driver.ts'

export const forwarderDriver: HelperDriver<ForwarderHelper, ForwarderPeer> = {
  type: 'forwarder',
  makesDevices: false,
  start: ({ name }) => Promise.reject(new Error(`bug: no forwarder for ${name} in this version`)),
}
