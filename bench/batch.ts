// The limit of programming: the same entries by iproute2, which reads them from files made beforehand.
import type { Space } from '../test/lab/world/space.ts'
import { madeUpPeer } from './peer-lease.ts'

/** Programs `peers` peers on a fresh host by `bridge -batch` and `ip -batch` with nexthop objects: milliseconds. */
export async function batchTime(host: Space, peers: number): Promise<number> {
  const fdb: string[] = []
  const entries: [string[], string[], string[]] = [[], [], []]
  for (let i = 0; i < peers; i++) {
    const { subnet, vtep, publicAddress, mac } = madeUpPeer(i)
    fdb.push(`fdb add ${mac} dev flannel.1 dst ${publicAddress} self permanent`)
    entries[0].push(`neigh add ${vtep} lladdr ${mac} dev flannel.1 nud permanent`)
    entries[1].push(`nexthop add id ${i + 1} via ${vtep} dev flannel.1 onlink proto 142`)
    entries[2].push(`route add ${subnet} nhid ${i + 1} proto 142`)
  }
  await host.run('cat >/run/fdb', `${fdb.join('\n')}\n`)
  await host.run('cat >/run/entries', `${entries.flat().join('\n')}\n`)
  await host.run(`set -e
    ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.19.250 dev enp0s3 nolearning
    ip link set flannel.1 up; ip addr add 10.254.0.0/32 dev flannel.1`)
  const timed = 's=$EPOCHREALTIME; bridge -batch /run/fdb; ip -batch /run/entries; echo $s $EPOCHREALTIME'
  const [from = 0, to = 0] = (await host.run(`bash -ec '${timed}'`)).trim().split(' ').map(Number)
  const routes = Number(await host.run('ip route show proto 142 | wc -l'))
  if (routes !== peers) throw new Error(`batch: ${routes} routes instead of ${peers}`)
  return (to - from) * 1000
}
