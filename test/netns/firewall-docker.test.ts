// Packets through the rules Docker makes: with and without ours, by vxlan and by host-gw. The engines' rules for one
// container with a published port: 20.10's as the engine left them, 28.5's written after moby's bridge driver. Real
// engines run in test/docker.
import test, { type ExecutionContext } from 'ava'
import { parsePrefix, type Prefix } from '../../src/ip/prefix.ts'
import { createFirewall, type Firewall } from '../../src/firewall/firewall.ts'
import { createLog } from '../../src/log.ts'
import { type Container, standIn } from '../lab/container.ts'
import { type Host, createLab } from '../lab/lab.ts'
import type { Place } from '../lab/space.ts'
import { waitFor } from '../lab/wait.ts'

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

const NAT = `*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.2.21.0/24 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.2.21.2:80
COMMIT
`
const ENGINES = {
  '20.10': `${NAT}*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 10.2.21.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`,
  '28.5': `${NAT}*raw
-A PREROUTING -d 10.2.21.2/32 ! -i docker0 -j DROP
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 10.2.21.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
`,
}

interface Bench {
  /** With Docker and our firewall. */
  readonly host: Host
  readonly container: Container
  /** On a peer without any rule. */
  readonly remote: Container
  /** On the LAN, no peer; sends to the containers by way of `host`. */
  readonly neighbour: Host
  readonly firewall: Firewall
  /** Applies our rules. */
  protect(): Promise<void>
}

async function bench(t: ExecutionContext, backend: 'vxlan' | 'host-gw', masquerade = false): Promise<Bench> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [host, peer, neighbour] = await Promise.all([lan.host(121), lan.host(122), lan.host(123)])
  const container = await standIn(host, { FLANNEL_SUBNET: '10.2.21.1/24', FLANNEL_MTU: '1450' })
  const remote = await standIn(peer, { FLANNEL_SUBNET: '10.2.22.1/24', FLANNEL_MTU: '1450' })
  await connect(host, 21, peer, 22, backend)
  await connect(peer, 22, host, 21, backend)
  await neighbour.run(`ip route add 10.2.21.0/24 via ${host.address}`)
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const firewall = createFirewall({ log, resyncSeconds: 5, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => firewall.stop())
  const overlay = backend === 'vxlan' ? { name: 'flannel.1', shared: false } : { name: 'enp0s3', shared: true }
  return {
    ...{ host, container, remote, neighbour, firewall },
    async protect() {
      const networks = { network: prefix('10.2.0.0/16'), subnet: prefix('10.2.21.0/24') }
      firewall.want([{ family: 4, ...networks, masquerade, randomFully: true, forward: true, overlay: [overlay] }])
      await firewall.settled()
      t.is(firewall.status().error, undefined)
    },
  }
}

async function connect(host: Host, own: number, peer: Host, its: number, backend: 'vxlan' | 'host-gw'): Promise<void> {
  const script = {
    'host-gw': `ip route add 10.2.${its}.0/24 via ${peer.address}`,
    vxlan: `ip link add flannel.1 address 02:00:00:00:00:${own} type vxlan id 1 local ${host.address} dev enp0s3 dstport 8472
      ip addr add 10.2.${own}.0/32 dev flannel.1 && ip link set flannel.1 up
      ip neigh add 10.2.${its}.0 lladdr 02:00:00:00:00:${its} dev flannel.1 nud permanent
      bridge fdb append 02:00:00:00:00:${its} dev flannel.1 dst ${peer.address}
      ip route add 10.2.${its}.0/24 via 10.2.${its}.0 dev flannel.1 onlink`,
  }
  await host.run(`set -e; ${script[backend]}`)
}

/** Serves TCP: every caller is told its own address. */
async function serve(at: Place, port: number): Promise<void> {
  const script = `require('net').createServer((s) => s.end(s.remoteAddress + ' ')).listen(${port}, '0.0.0.0', () => console.log('up'))`
  await (await at.spawn(`${process.execPath} -e "${script}"`)).line(/up/)
}

/** What a server at `to` says to `from`, or undefined when it cannot be reached. */
async function ask(from: Place, to: string, port: number): Promise<string | undefined> {
  const command = `timeout 2 bash -c 'exec 3<>/dev/tcp/${to}/${port}; cat <&3'`
  return from.run(command).then(
    (said) => said.trim(),
    () => undefined,
  )
}

for (const [engine, rules] of Object.entries(ENGINES)) {
  for (const backend of ['vxlan', 'host-gw'] as const) {
    test.serial(
      `F1: containers reach each other, any port, with their own addresses (Docker ${engine}, ${backend})`,
      async (t) => {
        const on = await bench(t, backend)
        await Promise.all([serve(on.container, 5000), serve(on.container, 80), serve(on.remote, 5000)])
        await on.host.run('iptables-restore --noflush', rules)
        t.is(await ask(on.remote, on.container.address, 5000), undefined, 'Docker alone shuts the overlay out')
        await on.protect()
        await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
        await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
        t.is(await ask(on.remote, on.container.address, 5000), on.remote.address)
        t.is(await ask(on.container, on.remote.address, 5000), on.container.address)
        t.is(await ask(on.neighbour, on.host.address, 8080), on.neighbour.address, 'a published port')
      },
    )
  }
}

test.serial(
  'F1: past Docker 28’s rules a neighbour that is no peer reaches no unpublished port (host-gw)',
  async (t) => {
    const on = await bench(t, 'host-gw')
    await serve(on.container, 5000)
    t.is(await ask(on.neighbour, on.container.address, 5000), on.neighbour.address, 'the way is there')
    await on.host.run('iptables-restore --noflush', ENGINES['28.5'])
    await on.protect()
    t.is(await ask(on.remote, on.container.address, 5000), on.remote.address)
    t.is(await ask(on.neighbour, on.container.address, 5000), undefined)
    // Nor one that takes an address of our own subnet for its own.
    await on.neighbour
      .run('ip addr add 10.2.21.77/32 dev lo; ip route change 10.2.21.2 via 192.168.19.121 src 10.2.21.77')
      .catch(() => on.neighbour.run('ip route add 10.2.21.2/32 via 192.168.19.121 src 10.2.21.77'))
    const dropped = async (): Promise<string | undefined> =>
      /(\d+) .* DROP .*10\.2\.21\.2/.exec(await on.host.run('iptables -t raw -L PREROUTING -vnx'))?.[1]
    const before = Number(await dropped())
    await t.throwsAsync(on.neighbour.run('ping -c 1 -W 1 -I 10.2.21.77 10.2.21.2'))
    t.true(Number(await dropped()) > before)
  },
)

test.serial('F1: the operator’s own rules in DOCKER-USER stand above our accepts', async (t) => {
  const on = await bench(t, 'vxlan')
  await Promise.all([serve(on.container, 80), serve(on.container, 5000)])
  await on.host.run('iptables-restore --noflush', ENGINES['28.5'])
  await on.protect()
  t.is(await ask(on.neighbour, on.host.address, 8080), on.neighbour.address)
  t.is(await ask(on.remote, on.container.address, 5000), on.remote.address)
  await on.host.run(`iptables -I DOCKER-USER -s ${on.neighbour.address} -j DROP`)
  await on.host.run(`iptables -I DOCKER-USER -s ${on.remote.address} -j DROP`)
  t.is(await ask(on.neighbour, on.host.address, 8080), undefined)
  t.is(await ask(on.remote, on.container.address, 5000), undefined)
})

test.serial('F1: a trailing REJECT, without Docker', async (t) => {
  const on = await bench(t, 'vxlan')
  await on.host.run('iptables -A FORWARD -j REJECT')
  await t.throwsAsync(on.remote.run(`ping -c 1 -W 1 ${on.container.address}`))
  await on.protect()
  await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
  await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
})

test.serial('F4: with -ip-masq a container keeps its address in the network and has the host’s outside', async (t) => {
  const on = await bench(t, 'vxlan', true)
  await Promise.all([serve(on.remote, 5000), serve(on.neighbour, 5000)])
  await on.neighbour.run('ip route del 10.2.21.0/24')
  t.is(await ask(on.container, on.neighbour.address, 5000), undefined, 'nobody knows the way back')
  await on.protect()
  t.is(await ask(on.container, on.remote.address, 5000), on.container.address)
  t.is(await ask(on.container, on.neighbour.address, 5000), on.host.address)
})

test.serial('F3: no packet is lost while rules are applied, replaced and applied by a restarted daemon', async (t) => {
  const on = await bench(t, 'vxlan')
  await on.host.run('iptables-restore --noflush', ENGINES['28.5'])
  await on.protect()
  const ping = await on.remote.spawn(`ping -i 0.01 -q ${on.container.address}`)
  for (const jump of ['FORWARD 1', 'FORWARD 2']) await on.host.run(`iptables -I ${jump} -i nowhere -j DROP`)
  const saved = async (): Promise<string> => on.host.run('iptables-save -t filter')
  await waitFor(
    'ours first',
    async () =>
      /^-A FORWARD .*\n-A FORWARD .* -j FLANNEL-FWD$/m.exec(await saved())?.index ===
      (await saved()).indexOf('-A FORWARD'),
  )
  await on.firewall.settled()
  on.firewall.stop()
  const netns = `/proc/${on.host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const next = createFirewall({ log, resyncSeconds: 5, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => next.stop())
  const networks = { network: prefix('10.2.0.0/15'), subnet: prefix('10.2.21.0/24') }
  const overlay = [{ name: 'flannel.1', shared: false }]
  next.want([{ family: 4, ...networks, masquerade: true, randomFully: true, forward: true, overlay }])
  await next.settled()
  t.is(next.status().error, undefined)
  ping.kill('SIGINT')
  await ping.exit
  t.regex(ping.output(), /, 0% packet loss/)
})
