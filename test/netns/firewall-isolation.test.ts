// What Docker keeps apart stays apart with our rules there: other bridges, --internal networks, containers of one bridge
// under --icc=false; in each family. Real engines run in test/engines.
import test, { type ExecutionContext } from 'ava'
import { type Container, createContainer } from '../lab/world/container.ts'
import { RULES_OF, type RulesOf, engineRules } from '../lab/scenarios/docker-rules.ts'
import { NUMBERINGS, type Numbering, bridgeOf } from '../lab/scenarios/numbering.ts'
import { type FirewalledHosts, askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'

interface Networks extends FirewalledHosts {
  readonly other: Container
  readonly inside: Container
}

async function networks(t: ExecutionContext, engine: RulesOf, numbering: Numbering): Promise<Networks> {
  const on = await createFirewalledHosts(t, 'vxlan', numbering)
  const more = (network: number, name: string): Promise<Container> => {
    const env = { FLANNEL_SUBNET: numbering.docker(network).bridge, FLANNEL_MTU: '1500' }
    return createContainer(on.host, env, 2, name)
  }
  const [other, inside] = [await more(18, 'br-other'), await more(19, 'br-inside')]
  await Promise.all([on.container, on.remote, other, inside].map((place) => serveTcp(place, 5000)))
  await on.docker(engine, 'and others')
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

for (const numbering of Object.values(NUMBERINGS)) {
  const { family, device, within, docker } = numbering
  for (const engine of RULES_OF)
    test.serial(
      `IPv${family}: other bridges and --internal networks stay apart from ours, and from peers (Docker ${engine})`,
      async (t) => {
        const on = await networks(t, engine, numbering)
        // A peer whose root sends what he likes.
        for (const network of [18, 19])
          await on.peer.run(`ip route add ${docker(network).network} via ${within(21, 0)} dev ${device} onlink`)
        t.deepEqual(await leaks(on), [], 'by Docker alone')
        for (const nftables of [false, true]) {
          await on.protect({ masquerade: true, nftables })
          t.deepEqual(await leaks(on), [], `with our rules, EnableNFTables ${nftables}`)
          t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
          t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
        }
        const lent = await askTcp(on.other, on.remote.address, 5000)
        t.is(lent, within(21, 0), 'which Docker lets out, by its host’s address')
      },
    )

  test.serial(
    `IPv${family}: --icc=false: containers of one bridge stay isolated, whichever rules were written first`,
    async (t) => {
      const on = await createFirewalledHosts(t, 'vxlan', numbering)
      const env = { FLANNEL_SUBNET: bridgeOf(numbering, 21), FLANNEL_MTU: '1450' }
      const second = await createContainer(on.host, env, 3)
      await serveTcp(second, 5000)
      await on.host.run('sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1')
      await on.protect()
      t.is(await askTcp(on.container, second.address, 5000), on.container.address)
      // As dockerd does: what is to be last is appended.
      const rules = engineRules('20.10', numbering).replace('-A FORWARD -i docker0 -o docker0 -j ACCEPT\n', '')
      await on.host.run(`${numbering.iptables}-restore --noflush`, rules)
      await on.iptables('-A FORWARD -i docker0 -o docker0 -j DROP')
      await on.firewall.settled()
      await on.protect()
      t.is(await askTcp(on.container, second.address, 5000), undefined)
      t.is(await askTcp(on.remote, second.address, 5000), on.remote.address, 'its port is served')
    },
  )
}
