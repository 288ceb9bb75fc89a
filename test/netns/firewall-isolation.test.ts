// What Docker keeps apart stays apart with our rules there: other bridges, --internal networks, containers of one bridge
// under --icc=false. Real engines run in test/engines.
import test, { type ExecutionContext } from 'ava'
import { type Container, createContainer } from '../lab/world/container.ts'
import { ENGINE_RULES, OTHER_NETWORKS } from '../lab/scenarios/docker-rules.ts'
import { type FirewalledHosts, askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'

type Engine = keyof typeof ENGINE_RULES
const ENGINES = Object.keys(ENGINE_RULES) as Engine[]

interface Networks extends FirewalledHosts {
  readonly other: Container
  readonly inside: Container
}

async function networks(t: ExecutionContext, engine: Engine): Promise<Networks> {
  const on = await createFirewalledHosts(t, 'vxlan')
  const other = await createContainer(on.host, { FLANNEL_SUBNET: '172.18.0.1/16', FLANNEL_MTU: '1500' }, 2, 'br-other')
  const inside = await createContainer(
    on.host,
    { FLANNEL_SUBNET: '172.19.0.1/16', FLANNEL_MTU: '1500' },
    2,
    'br-inside',
  )
  await Promise.all([on.container, on.remote, other, inside].map((place) => serveTcp(place, 5000)))
  await on.host.run('iptables-restore --noflush', ENGINE_RULES[engine])
  await on.host.run('iptables-restore --noflush', OTHER_NETWORKS[engine])
  return { ...on, other, inside }
}

/** Everything Docker does not let through, by what it would be. */
async function leaks({ container, remote, other, inside }: Networks): Promise<readonly string[]> {
  const places = { container, remote, other, inside }
  const apart = [
    'other container',
    'inside container',
    'inside remote',
    'inside other',
    'other inside',
    'container other',
    'container inside',
    'remote inside',
  ] as const
  const found = await Promise.all(
    apart.map(async (pair) => {
      const [from, to] = pair.split(' ') as [keyof typeof places, keyof typeof places]
      return (await askTcp(places[from], places[to].address, 5000)) === undefined ? [] : [`${from} reaches ${to}`]
    }),
  )
  return found.flat()
}

for (const engine of ENGINES) {
  test.serial(
    `other bridges and --internal networks stay apart from ours, and from peers (Docker ${engine})`,
    async (t) => {
      const on = await networks(t, engine)
      // A peer whose root sends what he likes.
      await on.peer.run('ip route add 172.16.0.0/12 via 10.2.21.0 dev flannel.1 onlink')
      t.deepEqual(await leaks(on), [], 'by Docker alone')
      for (const nftables of [false, true]) {
        await on.protect({ masquerade: true, nftables })
        t.deepEqual(await leaks(on), [], `with our rules, EnableNFTables ${nftables}`)
        t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
        t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
      }
      t.is(await askTcp(on.other, on.remote.address, 5000), '10.2.21.0', 'which Docker lets out, by its host’s address')
    },
  )
}

test.serial('--icc=false: containers of one bridge stay isolated, whichever rules were written first', async (t) => {
  const on = await createFirewalledHosts(t, 'vxlan')
  const second = await createContainer(on.host, { FLANNEL_SUBNET: '10.2.21.1/24', FLANNEL_MTU: '1450' }, 3)
  await serveTcp(second, 5000)
  await on.host.run('sysctl -w net.bridge.bridge-nf-call-iptables=1')
  await on.protect()
  t.is(await askTcp(on.container, second.address, 5000), on.container.address)
  // As dockerd does: what is to be last is appended.
  const rules = ENGINE_RULES['20.10'].replace('-A FORWARD -i docker0 -o docker0 -j ACCEPT\n', '')
  await on.host.run('iptables-restore --noflush', rules)
  await on.host.run('iptables -A FORWARD -i docker0 -o docker0 -j DROP')
  await on.firewall.settled()
  await on.protect()
  t.is(await askTcp(on.container, second.address, 5000), undefined)
  t.is(await askTcp(on.remote, second.address, 5000), on.remote.address, 'its port is served')
})
