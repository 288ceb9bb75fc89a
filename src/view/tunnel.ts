// How packets to peers leave: our backend, and the devices of ours with their counters.
import { countersOf } from '../host/device-counters.ts'
import type { Link } from '../kernel/state.ts'
import type { Plan } from '../overlay/plan.ts'
import type { DeviceStatus, TunnelStatus } from './status-shape.ts'

/** What is shown where there is no device. */
const NO_DEVICE = { device: null, vni: null, port: null, rxBytes: null, txBytes: null, drops: null } as const

/** `proven` is the number of peers that packets of the network's MTU are known to get to. */
export async function tunnelOf({ inputs, subnetEnv, objects }: Plan, proven: number): Promise<TunnelStatus> {
  const { backend, config } = inputs.configuration.own
  const links = objects.flatMap((object) => (object.kind === 'link' ? [object] : []))
  const devices = await Promise.all(links.map(deviceOf))
  const [shown = NO_DEVICE] = devices
  const encrypted = backend.encrypts?.(config) === true
  return { ...shown, type: backend.type, encrypted, mtu: subnetEnv.mtu, devices, proven }
}

async function deviceOf(link: Link): Promise<DeviceStatus> {
  const { name, type, mtu } = link
  const counters = await countersOf(name).catch(() => undefined)
  return {
    device: name,
    type,
    mtu,
    vni: 'vni' in link ? link.vni : null,
    port: 'port' in link ? link.port : null,
    rxBytes: counters?.rxBytes ?? null,
    txBytes: counters?.txBytes ?? null,
    drops: counters?.drops ?? null,
  }
}
