// `make demo`: two hosts with Docker, from an empty etcd to containers that ping each other, on this one machine.
// Every command is run as shown, in network namespaces that are removed at the end, also after Ctrl-C: see test/lab.
import { installSingleFile, waitForSubnetEnv } from '../../test/lab/actors/flanneld.ts'
import { startPings } from '../../test/lab/instruments/ping.ts'
import { waitForMorePings } from '../../test/lab/instruments/tcp-streams.ts'
import { waitFor } from '../../test/lab/instruments/wait.ts'
import { startDocker } from '../../test/lab/world/docker.ts'
import { type EtcdHost, startEtcd } from '../../test/lab/world/etcd.ts'
import { type Host, type Lab, createLab } from '../../test/lab/world/lab.ts'
import { ARGS, PREFIX } from '../../test/lab/world/network.ts'
import type { Running } from '../../test/lab/world/process.ts'
import type { Place } from '../../test/lab/world/space.ts'

const tty = process.stdout.isTTY
const style =
  (code: number) =>
  (text: string): string =>
    tty ? `\x1b[${code}m${text}\x1b[0m` : text
const bold = style(1)
const dim = style(2)
const green = style(32)

const print = (text = ''): void => {
  process.stdout.write(`${text}\n`)
}

/** Columns of output shown. */
const WIDTH = 115

let steps = 0

/** Starts a step: what happens now, and why. */
function step(title: string, ...why: readonly string[]): void {
  print(`\n${bold(`${++steps}. ${title}`)}`)
  for (const line of why) print(`   ${line}`)
}

/** Shows a command, runs it, and prints those lines of its output that match `only`. */
async function show(on: Place, command: string, only = /./): Promise<void> {
  print(`\n   ${dim(`${on.name} $`)} ${green(command)}`)
  const said = (await on.run(command)).split('\n').filter((line) => line.trim() !== '' && only.test(line))
  for (const line of said) print(`   ${trim(line)}`)
}

/** Shows a command that has been or will be run by the lab. */
function shown(on: Place, command: string): void {
  print(`\n   ${dim(`${on.name} $`)} ${green(command)}`)
}

/** A line of output of at most WIDTH columns: JSON continues on the next line, anything else is cut. */
function trim(line: string): string {
  const text = line.trimEnd().replaceAll('\t', '  ')
  if (text.length <= WIDTH) return text
  if (!text.startsWith('{')) return `${text.slice(0, WIDTH - 4)} ...`
  const comma = text.lastIndexOf(',', WIDTH - 1) + 1
  return `${text.slice(0, comma)}\n    ${text.slice(comma)}`
}

async function demo(): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  const lab = await createLab({ teardown: (close) => closers.push(close) })
  const close = (): Promise<unknown> => Promise.all(closers.splice(0).map((each) => each()))
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve('interrupted')
      })
  })
  const played = play(lab)
  // When everything is being closed, pending commands of play() fail: expected.
  played.catch(() => undefined)
  try {
    if ((await Promise.race([played, interrupted])) === 'interrupted') process.exitCode = 130
  } finally {
    await close()
  }
  print(`\n${bold('Removed.')} Every host, container, device and route above was in its own namespace.`)
}

/** The hosts of the demo, and what runs on them. */
interface Hosts {
  readonly etcd: EtcdHost
  readonly a: Host
  readonly b: Host
}

async function play(lab: Lab): Promise<void> {
  const hosts = await makeHosts(lab)
  const daemons = await startDaemons(hosts)
  await showKernel(hosts)
  const address = await startContainers(lab, hosts)
  await deleteTunnel(hosts, address)
  await stopDaemon(hosts, daemons, address)
}

async function makeHosts(lab: Lab): Promise<Hosts> {
  step(
    'Three hosts on one local network',
    'Network namespaces on this machine, joined by a bridge: host120 has etcd, host121 and host122 will',
    'have flanneld and Docker. Each has its own /run, /var/lib and processes. The daemon is a single',
    'file: the hosts have no node and no node_modules.',
  )
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const [a, b] = await Promise.all([lan.host(121), lan.host(122)])
  await Promise.all([installSingleFile(a), installSingleFile(b)])
  await show(etcd, 'etcdctl endpoint health 2>&1')
  await show(a, 'ip -brief address; ls -sh /usr/local/bin/')

  step('Store the network config', 'One key in etcd for all hosts. Every host leases a /24 of this network.')
  const config = '{"Network":"10.2.0.0/16","SubnetLen":24,"Backend":{"Type":"vxlan"}}'
  await show(etcd, `etcdctl put ${PREFIX}/config '${config}'`)
  return { etcd, a, b }
}

async function startDaemons({ a, b }: Hosts): Promise<readonly Running[]> {
  step(
    'Start flanneld on both',
    'It leases a free subnet, creates the tunnel device flannel.1, follows the other hosts in etcd, and writes',
    'the lease to a file for Docker. Its log of the first second:',
  )
  const daemons = await Promise.all(
    [a, b].map(async (host) => {
      const daemon = await host.spawn(`flanneld ${ARGS}`)
      await waitForSubnetEnv(host, daemon)
      return daemon
    }),
  )
  shown(a, `flanneld ${ARGS} &`)
  shown(b, `flanneld ${ARGS} &`)
  print()
  const [subnetA, subnetB] = [await subnetOf(a), await subnetOf(b)]
  await waitFor('both to know each other', async () => {
    const [there, back] = [await a.run(`ip route show ${subnetB}.0/24`), await b.run(`ip route show ${subnetA}.0/24`)]
    return there !== '' && back !== ''
  })
  for (const line of (daemons[0]?.output() ?? '').trim().split('\n')) print(`   ${trim(line)}`)
  return daemons
}

async function showKernel({ etcd, a, b }: Hosts): Promise<void> {
  step(
    'The result',
    'The lease in etcd, the tunnel device, and for each peer a route, a neighbour (its end of the tunnel) and',
    'a forwarding entry (which host that end is on).',
  )
  await show(a, 'cat /run/flannel/subnet.env')
  await show(etcd, `etcdctl get --prefix ${PREFIX}/subnets`)
  await show(a, 'ip -d address show flannel.1', /mtu|inet |vxlan/)
  await show(a, `ip route show ${await subnetOf(b)}.0/24`)
  await show(a, 'ip neigh show dev flannel.1')
  await show(a, 'bridge fdb show dev flannel.1', /permanent/)
}

/** Starts an engine and a container on each host: the address of the second. */
async function startContainers(lab: Lab, { a, b }: Hosts): Promise<string> {
  step(
    'Start Docker on the leased subnet',
    'docker0 gets the subnet; containers get its addresses and the MTU that leaves room for VXLAN.',
  )
  shown(a, '. /run/flannel/subnet.env; dockerd --bip=$FLANNEL_SUBNET --mtu=$FLANNEL_MTU &')
  shown(b, '. /run/flannel/subnet.env; dockerd --bip=$FLANNEL_SUBNET --mtu=$FLANNEL_MTU &')
  const engines = await Promise.all(
    [a, b].map(async (host) => {
      const args = await host.run('. /run/flannel/subnet.env; echo --bip=$FLANNEL_SUBNET --mtu=$FLANNEL_MTU')
      return startDocker(lab, host, args.trim())
    }),
  )
  const [web, db] = await Promise.all(engines.map((engine, i) => engine.container(i === 0 ? 'web' : 'db')))
  if (web === undefined || db === undefined) throw new Error('no containers')
  shown(a, 'docker run -d --name web busybox sleep 100000')
  shown(b, 'docker run -d --name db busybox sleep 100000')
  await show(a, "docker ps --format '{{.Names}}  {{.Image}}  {{.Status}}'")

  step('Container to container, across hosts', `web is ${web.address} on host121, db is ${db.address} on host122.`)
  await show(a, `docker exec web ping -c 3 ${db.address}`)
  await show(b, `docker exec db ping -c 3 ${web.address}`)
  print()
  print(`   The path: docker0 of host121, the end of the tunnel on host122, the container.`)
  await show(a, `docker exec web traceroute -n ${db.address}`)
  return db.address
}

async function deleteTunnel({ a, b }: Hosts, address: string): Promise<void> {
  step(
    'The tunnel is deleted by accident',
    'The kernel notifies flanneld, which creates it again with the same address.',
  )
  const pings = await startPings(a, address)
  await waitFor('pings to flow', () => pings.received() > 20)
  await show(a, 'ip link delete flannel.1')
  const subnet = await subnetOf(b)
  await waitFor('the tunnel to be back', () => a.run(`ip route show ${subnet}.0/24 | grep flannel.1`))
  await waitForMorePings(pings, 20)
  const report = await pings.stop()
  print(
    `\n   Pings every 8 ms meanwhile: ${report.received} of ${report.sent} answered, longest gap ${report.longestGap} ms.`,
  )
}

async function stopDaemon({ a }: Hosts, daemons: readonly Running[], address: string): Promise<void> {
  step('flanneld is stopped', 'The kernel keeps forwarding: upgrading the daemon costs no packet.')
  const exit = await daemons[0]?.stop()
  print(`\n   ${dim(`${a.name} $`)} ${green('kill -TERM %flanneld')}   exit status ${exit?.code}`)
  await show(a, `docker exec web ping -c 2 ${address}`, /statistics|packets/)
}

/** "10.2.21" of the host's FLANNEL_SUBNET=10.2.21.1/24. */
async function subnetOf(host: Host): Promise<string> {
  return (await host.run('. /run/flannel/subnet.env; echo ${FLANNEL_SUBNET%.*}')).trim()
}

await demo()
