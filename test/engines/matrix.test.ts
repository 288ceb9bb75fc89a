// Docker as it is: real engines, every firewall, every backend, both families, with and without -ip-masq. Host A has its container on
// docker0, host B on a user-defined bridge, so that every line is both. The table is kept in docs/docker.md.
import test, { type ExecutionContext } from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Family } from '../../src/ip/address.ts'
import type { Container } from '../lab/world/container.ts'
import type { Place } from '../lab/world/space.ts'
import { PORTS, askHttp, reachedBy, serveHttp } from '../lab/instruments/reach.ts'
import {
  BACKENDS,
  type BackendName,
  FIREWALLS,
  type FirewallKind,
  type EnginePair,
  createEnginePair,
  restartDocker,
} from '../lab/scenarios/engine-pair.ts'
import { ENGINES, type EngineVersion } from '../lab/world/engines.ts'
import { ROOT } from '../lab/actors/flanneld.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const VERSIONS = Object.keys(ENGINES) as EngineVersion[]
const NAMES = Object.keys(BACKENDS) as BackendName[]

/** What everybody is called in one family. */
interface Names {
  readonly family: Family
  readonly containerA: string
  readonly containerB: string
  /** Their hosts on the LAN. */
  readonly hostA: string
  readonly hostB: string
  readonly neighbour: string
}

function namesIn({ a, b, neighbour }: EnginePair, family: Family): Names {
  const of = family === 4 ? 'address' : 'address6'
  return {
    family,
    containerA: a.container[of],
    containerB: b.container[of],
    hostA: a.host[of],
    hostB: b.host[of],
    neighbour: neighbour[of],
  }
}

type Seen = Readonly<Record<string, string | undefined>>

/** What is seen from everywhere; by what it should be, so that a difference reads well. */
async function seen({ a, b, neighbour }: EnginePair, names: Names): Promise<Seen> {
  const [open, hidden] = PORTS
  const from = (place: Place, lan: string, other: string, host: string): Promise<readonly (string | undefined)[]> =>
    askHttp(place, [`${lan} ${open}`, `${other} ${open}`, `${other} ${hidden}`, `${host} 8080`])
  const [[outA, ofB, hiddenB, publishedB], [outB, ofA, hiddenA, publishedA], [lanA, lanB, lanHiddenA, lanHiddenB]] =
    await Promise.all([
      from(a.container, names.neighbour, names.containerB, names.hostB),
      from(b.container, names.neighbour, names.containerA, names.hostA),
      askHttp(neighbour, [
        `${names.hostA} 8080`,
        `${names.hostB} 8080`,
        `${names.containerA} ${hidden}`,
        `${names.containerB} ${hidden}`,
      ]),
    ])
  const reached = { ofA, hiddenA, ofB, hiddenB, outA, outB, lanHiddenA, lanHiddenB }
  const probes = {
    probesA: await reachedBy(a.container, names.containerB),
    probesB: await reachedBy(b.container, names.containerA),
  }
  return { ...reached, ...probes, publishedA, publishedB, lanA, lanB }
}

/** Everybody is seen by the right address: a container by its own in the network, by its host's outside. */
function expected(names: Names, version: EngineVersion, masquerades: boolean): Seen {
  const { family, containerA, containerB, hostA, hostB, neighbour } = names
  // Docker since 27 has rules for IPv6; before, it leaves it alone, and published ports are its proxy's, which asks over IPv4.
  const docker = family === 4 || version === '28.5'
  const outside = docker || masquerades
  // 28 keeps the LAN from what is not published; before, and with Go's FLANNEL-FWD, it is let in.
  const lan = version === '28.5' ? undefined : neighbour
  return {
    ofA: containerB,
    hiddenA: containerB,
    ofB: containerA,
    hiddenB: containerA,
    outA: outside ? hostA : containerA,
    outB: outside ? hostB : containerB,
    lanHiddenA: lan,
    lanHiddenB: lan,
    probesA: 'icmp udp',
    probesB: 'icmp udp',
    ...(docker ? { publishedA: hostB, publishedB: hostA, lanA: neighbour, lanB: neighbour } : {}),
  }
}

/** Waits until all is seen as it should be in both families, and asserts that it is. */
async function whole(
  t: ExecutionContext,
  on: EnginePair,
  version: EngineVersion,
  what: string,
  flags = '',
): Promise<void> {
  for (const family of [4, 6] as const) {
    const names = namesIn(on, family)
    const should = expected(names, version, flags === '-ip-masq')
    let last: Seen = {}
    await waitFor(`IPv${family}: ${what}`, async () => {
      const all = await seen(on, names)
      last = Object.fromEntries(Object.keys(should).map((key) => [key, all[key]]))
      return JSON.stringify(last) === JSON.stringify(should)
    }).catch(() => undefined)
    t.deepEqual(last, should, `IPv${family}: ${what}`)
  }
}

/** Whether our rules are whole and in place: those of the overlay ahead of all others, the wide ones behind Docker's. */
async function placed({ a }: EnginePair, kind: FirewallKind): Promise<boolean> {
  if (kind === 'EnableNFTables')
    await a.host.run('nft list chain ip flannel-ipv4 forward && nft list chain ip6 flannel-ipv6 forward')
  const [ip, ip6] = [await a.host.run('iptables-save -t filter'), await a.host.run('ip6tables-save -t filter')]
  return placedIn(ip, kind) && placedIn(ip6, kind)
}

function placedIn(saved: string, kind: FirewallKind): boolean {
  if (kind === 'EnableNFTables' && !saved.includes('DOCKER-USER')) return true
  const forward = saved.split('\n').filter((line) => line.startsWith('-A FORWARD '))
  const chains = forward.map((line) => line.split(' -j ')[1])
  const ahead = saved.includes(':DOCKER-USER') ? ['FLANNEL-USER', 'FLANNEL-OVERLAY'] : ['FLANNEL-OVERLAY']
  const right = chains.at(-1) === 'FLANNEL-FWD' && ahead.every((chain, i) => chains[i] === chain)
  return right && /^-A FLANNEL-FWD .* ACCEPT$/m.test(saved) && /^-A FLANNEL-OVERLAY .* ACCEPT$/m.test(saved)
}

/** Two more networks on host A, one of them --internal: nobody reaches from one bridge to another, or in from a peer. */
async function isolated(
  t: ExecutionContext,
  { a, b }: EnginePair,
  [other, inside]: readonly Container[],
  what: string,
): Promise<void> {
  if (other === undefined || inside === undefined) return t.fail()
  const port = PORTS[1]
  // Without an address in a family there is nothing to keep apart.
  const of = (place: Container): readonly string[] => [place.address, place.address6].filter((one) => one !== '')
  const targets = (...places: readonly Container[]): readonly string[] =>
    places.flatMap((place) => of(place).map((address) => `${address} ${port}`))
  const asked = await Promise.all([
    askHttp(other, targets(a.container)),
    askHttp(inside, targets(a.container, b.container)),
    askHttp(a.container, targets(other, inside)),
  ])
  t.deepEqual(new Set(asked.flat()), new Set([undefined]), `bridges apart: ${what}`)
}

/** Starts a container on each of these networks of host A, which have IPv6 where the engine keeps it apart: from 27 on. */
async function moreNetworks({ a }: EnginePair, version: EngineVersion): Promise<readonly Container[]> {
  const ipv6 = (subnet: string): string => (version === '28.5' ? `--ipv6 --subnet ${subnet}` : '')
  await a.host.run(`set -e; docker network create ${ipv6('fd00:172:18::/64')} other
    docker network create --internal ${ipv6('fd00:172:19::/64')} inside`)
  const made = [await a.docker.container('oo', '--network other'), await a.docker.container('ii', '--network inside')]
  await Promise.all(made.map((place) => serveHttp(place)))
  return made
}

/** What somebody who speaks VXLAN, but is no peer, gets into the overlay: nothing. */
async function stranger(t: ExecutionContext, { a, neighbour }: EnginePair): Promise<void> {
  const dropped = async (): Promise<number> =>
    Number(/packets (\d+)/.exec(await a.host.run('nft list counter inet flannel-guard-1 dropped'))?.[1])
  const mac = /link\/ether (\S+)/.exec(await a.host.run('ip link show flannel.1'))?.[1] ?? ''
  const vtep = a.container.address.replace(/\d+$/, '0')
  await neighbour.run(`ip link add flannel.1 type vxlan id 1 local ${neighbour.address} dev enp0s3 dstport 8472 nolearning
    ip addr add 10.2.255.0/32 dev flannel.1; ip link set flannel.1 up
    ip neigh add ${vtep} lladdr ${mac} dev flannel.1; bridge fdb add ${mac} dst ${a.host.address} dev flannel.1
    ip route add ${a.container.address} via ${vtep} dev flannel.1 onlink`)
  const [before, received] = [await dropped(), await packetsIn(a.host.run)]
  await neighbour.run(`ping -c 3 -i 0.1 -W 1 ${a.container.address} || :`)
  t.true((await dropped()) >= before + 3, 'the guard drops what a stranger sends')
  t.is(await packetsIn(a.host.run), received, 'and nothing of it comes out of flannel.1')
  await neighbour.run('ip link del flannel.1')
}

async function packetsIn(run: (command: string) => Promise<string>): Promise<number> {
  const [device] = JSON.parse(await run('ip -s -j link show flannel.1')) as [{ stats64: { rx: { packets: number } } }]
  return device.stats64.rx.packets
}

/** Waits until the container on B is answered by another on A, which sees it by its own address. */
async function answered(t: ExecutionContext, { b }: EnginePair, by: Container, what: string): Promise<void> {
  let said: string | undefined
  await waitFor(what, async () => {
    ;[said] = await askHttp(b.container, [`${by.address} ${PORTS[1]}`])
    return said === b.container.address
  }).catch(() => undefined)
  t.is(said, b.container.address, what)
}

/** One engine and one firewall, through every backend. */
async function cell(t: ExecutionContext, version: EngineVersion, kind: FirewallKind): Promise<void> {
  const on = await createEnginePair(t, version, kind)
  const engine = (await on.a.host.run('docker version -f "{{.Server.Version}}"')).trim()
  t.log(`engine ${engine}`)
  t.true(engine.localeCompare(version, 'en', { numeric: true }) >= 0, engine)
  const tables = kind === 'iptables-legacy' ? 'legacy' : 'nft'
  await on.a.flanneld.line(new RegExp(`iptables-save \\(${tables}\\), ahead of Docker's rules`))
  const networks = await moreNetworks(on, version)
  const backends = async (flags: string): Promise<void> => {
    for (const name of NAMES) {
      await on.backend(name)
      await whole(t, on, version, `${name} ${flags}`, flags)
      await isolated(t, on, networks, `${name} ${flags}`)
      if (name === 'vxlan') await stranger(t, on)
    }
  }
  await backends('')
  await on.restart('-ip-masq')
  on.a = await restartDocker(on)
  await on.a.host.run('docker start oo ii')
  await Promise.all(networks.map((place) => serveHttp(place)))
  await waitFor('ours in place after a restart of dockerd', () => placed(on, kind))
  await backends('-ip-masq')

  on.a.docker.daemon.kill('SIGHUP')
  const more = await on.a.docker.container('cc', '--stop-signal=KILL')
  await serveHttp(more)
  await answered(t, on, more, 'one more container')
  t.true(await placed(on, kind))
  const flushes = ['iptables -F', 'for table in raw nat mangle filter; do iptables -t $table -F; done']
  for (const flush of kind === 'iptables-legacy' ? flushes : [...flushes, 'nft flush ruleset']) {
    await on.a.host.run(flush)
    const start = performance.now()
    // That this takes 2 s at most is for test/faults, where not three engines are at work at once.
    await waitFor(`ours in place after ${flush}`, () => placed(on, kind))
    t.log(`${flush}: ${Math.round(performance.now() - start)} ms`)
    await answered(t, on, more, flush)
  }
  on.a = await restartDocker(on)
  await whole(t, on, version, 'after flushes and a restart of dockerd', '-ip-masq')
}

const rows = new Map<string, string>()
const rowOf = (...columns: readonly string[]): string => `| ${columns.join(' | ')} |`

/** The end of the last cell of each engine: they take turns. */
const turns = new Map<EngineVersion, Promise<void>>()

const cells = VERSIONS.flatMap((version) =>
  FIREWALLS.map((kind) => {
    let over: () => void = () => undefined
    const done = new Promise<void>((resolve) => (over = resolve))
    test(`Docker ${version}, ${kind}`, async (t) => {
      const turn = turns.get(version)
      turns.set(version, done)
      await turn
      try {
        await cell(t, version, kind)
        for (const name of NAMES) rows.set(`${version} ${kind} ${name}`, t.passed ? 'passes' : 'fails')
      } finally {
        over()
      }
    })
    return done
  }),
)

test('control: on 28.5 without our rules, the overlay reaches no container', async (t) => {
  const on = await createEnginePair(t, '28.5', 'iptables-nft')
  await whole(t, on, '28.5', 'with rules')
  await on.restart('-iptables-forward-rules=false')
  for (const family of [4, 6] as const) {
    const { ofA, hiddenA, ofB, hiddenB, probesA, probesB } = await seen(on, namesIn(on, family))
    t.deepEqual([ofA, hiddenA, ofB, hiddenB], [undefined, undefined, undefined, undefined], `IPv${family}`)
    t.deepEqual([probesA, probesB], ['', ''], `IPv${family}`)
  }
})

test('the table is the one in docs/docker.md', async (t) => {
  await Promise.all(cells)
  const table = VERSIONS.flatMap((version) =>
    FIREWALLS.flatMap((kind) =>
      NAMES.map((name) => rowOf(version, kind, name, rows.get(`${version} ${kind} ${name}`) ?? 'fails')),
    ),
  )
  const lines = [rowOf('engine', 'firewall', 'flannel backend', 'result'), rowOf('---', '---', '---', '---'), ...table]
  t.log(`\n${lines.join('\n')}`)
  t.true(readFileSync(join(ROOT, 'docs/docker.md'), 'utf8').includes(lines.join('\n')))
})
