// What each backend costs: the MTU of containers, what one TCP stream gets through, and the CPU that takes. The limit is the same stream
// between the hosts' own addresses, without any of ours.
import { SINGLE_FILE, startFlanneld, waitForSubnetEnv } from '../test/lab/actors/flanneld.ts'
import { waitFor } from '../test/lab/instruments/wait.ts'
import { type Container, createContainer } from '../test/lab/world/container.ts'
import type { Host } from '../test/lab/world/lab.ts'
import { ARGS } from '../test/lab/world/network.ts'
import type { Figure, Measurement } from './figure.ts'
import { type Sample, send } from './iperf.ts'
import { onStage } from './stage.ts'
import { median } from './statistics.ts'

/** A backend as it is measured. Those that need another kernel are missing. */
interface Measured {
  readonly name: string
  readonly section: object
  /** Further arguments of the daemon. */
  readonly args?: string
}

const MEASURED: readonly Measured[] = [
  { name: 'vxlan', section: { Type: 'vxlan' } },
  { name: 'vxlan with DirectRouting', section: { Type: 'vxlan', DirectRouting: true } },
  { name: 'host-gw', section: { Type: 'host-gw' } },
  { name: 'udp', section: { Type: 'udp' } },
  { name: 'wireguard by wireguard-go', section: { Type: 'wireguard' }, args: '-wireguard-go=/usr/bin/wireguard-go' },
]

/** What these figures are compared with. */
export const BETWEEN_HOSTS = 'between the hosts'

export const backends: Measurement = {
  name: 'backends',
  async measure(quick) {
    const figures: Figure[] = []
    for (const one of MEASURED)
      figures.push(...(await onStage(0, (stage) => costsOf(stage.host, one, quick), one.section)))
    return figures
  },
}

async function costsOf(
  makeHost: () => Promise<Host>,
  { name, args = '' }: Measured,
  quick: boolean,
): Promise<readonly Figure[]> {
  const hosts = [await makeHost(), await makeHost()]
  const containers: Container[] = []
  let mtu = 0
  for (const host of hosts) {
    const env = await waitForSubnetEnv(host, await startFlanneld(host, `${ARGS} ${args}`, SINGLE_FILE))
    mtu = Number(env['FLANNEL_MTU'])
    containers.push(await createContainer(host, env))
  }
  const [[a, b], [from, to]] = [hosts, containers]
  if (a === undefined || b === undefined || from === undefined || to === undefined)
    throw new Error('two hosts are needed')
  await to.spawn('iperf3 -s')
  await b.spawn('iperf3 -s')
  await waitFor(`${from.name} to reach ${to.address}`, () => from.run(`ping -c 1 -W 1 ${to.address}`), 20_000)
  await waitFor('iperf3', () => from.run(`iperf3 -c ${to.address} -n 1K`))
  await waitFor('iperf3 between hosts', () => a.run(`iperf3 -c ${b.address} -n 1K`))
  const [ours, plain]: [Sample[], Sample[]] = [[], []]
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    ours.push(await send(from, to.address, 1, quick ? 1 : 2))
    plain.push(await send(a, b.address, 1, quick ? 1 : 2))
  }
  const of = (samples: readonly Sample[], key: keyof Sample): number => median(samples.map((sample) => sample[key]))
  const limitIs = BETWEEN_HOSTS
  return [
    { what: 'MTU of containers', at: name, unit: 'bytes', measured: mtu, limit: 1500, limitIs },
    { what: 'one stream', at: name, unit: 'Gbit/s', measured: of(ours, 'gbits'), limit: of(plain, 'gbits'), limitIs },
    {
      what: 'CPU per Gbit/s',
      at: name,
      unit: '% of a core',
      measured: of(ours, 'cpu'),
      limit: of(plain, 'cpu'),
      limitIs,
    },
  ]
}
