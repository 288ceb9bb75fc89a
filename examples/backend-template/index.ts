// A backend to start from: copy this folder to backends/NAME, rename, add the line to backends/index.ts.
// "weighted" routes a peer's subnet to the peer's public address, at the metric the peer asks for. It makes little sense as
// a network and much as a template: it has an option, publishes data and refuses bad peers.
// In here: no I/O, no clock, no randomness, no async. An object that src/kernel/state.ts cannot express needs a new kind there.
import type { Backend, Checked } from '../../src/backend.ts'
import { contains } from '../../src/ip/prefix.ts'
import { FLANNEL_PROTOCOL } from '../../src/kernel/state.ts'

/** The checked options of the network config's `Backend` section. */
interface Config {
  readonly weight: number
}

/** What a peer's lease says under BackendData, checked. */
interface Data {
  readonly weight: number
}

const WEIGHT_MAX = 255
const WEIGHT = { default: 1, range: [1, WEIGHT_MAX], doc: 'how much of the traffic goes here' } as const

export const weighted: Backend<Config, Data> = {
  type: 'weighted',
  // What docs and `flanneld config` show of each option, and the bounds that parseConfig enforces.
  configKeys: { Weight: WEIGHT },

  // Read every option through the section: a bad value becomes an error that names path, value and rule.
  parseConfig: (section) => ({ weight: section.integer('Weight', WEIGHT.default, ...WEIGHT.range) }),

  // Say here, in one line, why this host cannot take part; undefined when it can.
  refuses: (external) =>
    external.publicAddress === external.address
      ? undefined
      : `weighted: public address ${external.publicAddress}: is not on ${external.name}`,

  // Bytes that a container may send in one packet: the interface's, less what the backend wraps around.
  mtu: ({ external }) => external.mtu,

  // Peers' packets come unwrapped, so the firewall has to let them in from the external interface.
  receivesDirectly: () => true,

  // What peers have to know of us to reach us; it goes into our lease as it is.
  leaseData: ({ config }) => ({ Weight: config.weight }),

  // What others wrote is not to be trusted: check everything, refuse with a short reason and the offending value.
  parsePeerData(data): Checked<Data> {
    const weight = typeof data === 'object' && data !== null && 'Weight' in data ? data.Weight : undefined
    return typeof weight === 'number' && Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX
      ? { ok: true, value: { weight } }
      : { ok: false, reason: 'weight', detail: weight === undefined ? 'undefined' : JSON.stringify(weight) }
  },

  // Name what no two peers may share, lest they claim one kernel object.
  exclusive: () => undefined,

  // What our host needs for any set of peers: a device, its address.
  base: () => [],

  // What one peer needs. The daemon adds, repairs and removes it.
  forPeer: ({ external }, { subnet, publicAddress, data }) =>
    external.onlink.some((prefix) => contains(prefix, publicAddress))
      ? {
          ok: true,
          value: [
            {
              kind: 'route',
              destination: subnet,
              metric: data.weight,
              target: { type: 'gateway', gateway: publicAddress, device: external.name, onlink: false },
              protocol: FLANNEL_PROTOCOL,
            },
          ],
        }
      : { ok: false, reason: 'not-onlink', detail: `${publicAddress} is not on the network of ${external.name}` },
}
