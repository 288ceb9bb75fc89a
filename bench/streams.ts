// What containers on two hosts get through, one and eight TCP streams: over what the daemon set up (its firewall and guard
// included), and as limit over the same topology made by hand with ip(8) and nothing else.
import { type Container, createContainer } from '../test/lab/world/container.ts'
import { waitForSubnetEnv, startFlanneld } from '../test/lab/actors/flanneld.ts'
import { SINGLE_FILE } from '../test/lab/actors/flanneld.ts'
import type { Host } from '../test/lab/world/lab.ts'
import { waitFor } from '../test/lab/instruments/wait.ts'
import type { Figure, Measurement } from './figure.ts'
import { HAND, type Mode } from './hand-made.ts'
import { type Sample, send } from './iperf.ts'
import { type Stage, onStage } from './stage.ts'
import { median } from './statistics.ts'
import { ARGS } from '../test/lab/world/network.ts'

const SECTIONS = {
  vxlan: { Type: 'vxlan' },
  DirectRouting: { Type: 'vxlan', DirectRouting: true },
  'host-gw': { Type: 'host-gw' },
  udp: { Type: 'udp' },
} as const
const MODES = ['vxlan', 'DirectRouting', 'host-gw', 'udp'] as const

/** Two containers on different hosts; a server runs on the second. */
interface Pair {
  readonly from: Container
  readonly to: Container
}

export const streams: Measurement = {
  name: 'streams',
  async measure(quick) {
    const figures: Figure[] = []
    for (const mode of MODES)
      figures.push(...(await onStage(0, (stage) => streamsOver(stage, mode, quick), SECTIONS[mode])))
    return figures
  },
}

async function streamsOver(stage: Stage, mode: Mode, quick: boolean): Promise<readonly Figure[]> {
  const ours = await pairOf(await withDaemons(stage))
  const byHand = await pairOf(await withoutDaemons(stage, mode))
  const figures: Figure[] = []
  for (const count of [1, 8]) {
    const [measured, limit]: [Sample[], Sample[]] = [[], []]
    for (let round = 0; round < (quick ? 3 : 5); round++) {
      // Taking turns in who is first, as one warms the machine for the other.
      const order = [[ours, measured] as const, [byHand, limit] as const]
      for (const [pair, samples] of round % 2 === 0 ? order : order.toReversed()) {
        samples.push(await send(pair.from, pair.to.address, count, quick ? 1 : 2))
      }
    }
    const at = `${mode}, ${count} stream${count > 1 ? 's' : ''}`
    const of = (samples: readonly Sample[], key: keyof Sample): number => median(samples.map((sample) => sample[key]))
    figures.push(
      {
        what: 'container to container',
        at,
        unit: 'Gbit/s',
        measured: of(measured, 'gbits'),
        limit: of(limit, 'gbits'),
        limitIs: 'made by hand with ip',
        goal: { of: 'ratio', least: 0.98 },
      },
      {
        what: 'CPU of all per Gbit/s',
        at,
        unit: '% of a core',
        measured: of(measured, 'cpu'),
        limit: of(limit, 'cpu'),
        limitIs: 'made by hand with ip',
      },
    )
  }
  return figures
}

async function withDaemons({ host }: Stage): Promise<readonly Container[]> {
  const containers: Container[] = []
  for (const one of [await host(), await host()]) {
    const daemon = await startFlanneld(one, ARGS, SINGLE_FILE)
    containers.push(await createContainer(one, await waitForSubnetEnv(one, daemon)))
  }
  return containers
}

async function withoutDaemons({ host }: Stage, mode: Mode): Promise<readonly Container[]> {
  const hosts: Host[] = [await host(), await host()]
  const containers: Container[] = []
  for (const [i, one] of hosts.entries()) {
    const [peer] = hosts.filter((other) => other !== one)
    if (peer !== undefined) await one.run(HAND[mode].script(i + 1, one.address, 2 - i, peer.address))
    containers.push(await createContainer(one, { FLANNEL_SUBNET: `10.253.${i + 1}.1/24`, FLANNEL_MTU: HAND[mode].mtu }))
  }
  return containers
}

async function pairOf([from, to]: readonly Container[]): Promise<Pair> {
  if (from === undefined || to === undefined) throw new Error('streams: two containers are needed')
  await to.spawn('iperf3 -s')
  await waitFor(`${from.name} to reach ${to.address}`, () => from.run(`ping -c 1 -W 1 ${to.address}`), 20_000)
  await waitFor('iperf3', () => from.run(`iperf3 -c ${to.address} -n 1K`))
  return { from, to }
}
