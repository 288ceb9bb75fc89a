// A real etcd, on loopback or on hosts of a lab, of one or three members; each can be killed, frozen, cut off from its clients, or
// started on other data.
// Invariant: it ends with the test or lab that owns it; etcdctl always speaks to its own member.
import { waitFor } from '../instruments/wait.ts'
import { freePort } from './free-port.ts'
import type { Host, Lan } from './lab.ts'
import { PREFIX } from './network.ts'
import type { Running } from './process.ts'
import { type Owner, type Place, thisMachine } from './space.ts'
import { tempFolder } from './temp-folder.ts'
import { type ServerTls, clientArgs, serverArgs } from './tls.ts'

/** How to start an etcd. */
export interface EtcdSetup {
  /** Further arguments of each member: `--auth-token-ttl=2`. */
  readonly args?: string
  /** TLS for clients: files as makeTls writes them. Members speak plain HTTP among themselves. */
  readonly tls?: ServerTls
  /** Port for clients: 2379 on a host, a free one on loopback when absent. */
  readonly port?: number
  /** The network's config, put as soon as etcd answers. */
  readonly config?: object
}

/** A member. */
export interface Etcd {
  /** Where clients reach it. */
  readonly url: string
  /** The same on a host, over IPv6; "" on loopback. */
  readonly url6: string
  readonly port: number
  /** A folder for its data and for files of the test. */
  readonly folder: string
  /** Runs etcdctl against it, without a user name; `words` are the shell's. What it printed on stdout. */
  etcdctl(words: string, stdin?: string): Promise<string>
  /** Puts the network's config. */
  configure(config: object): Promise<void>
  /** The subnets leased now, "10.2.21.0-24". */
  leases(): Promise<readonly string[]>
  /** Kills it (SIGKILL) and waits. Its data stay. */
  kill(): Promise<void>
  /** Starts it again at the same URL, on the data it had or those in `dataFolder`, and waits until it answers; what still runs is killed. */
  start(dataFolder?: string): Promise<void>
  /** Stops it where it stands (SIGSTOP): connections stay, answers don't come. */
  freeze(): void
  /** Lets it run on (SIGCONT). */
  thaw(): void
}

/** A member on a host of its own. */
export interface EtcdHost extends Etcd, Host {
  /** Drops every packet of its clients' present connections from now on, without a word; new connections pass. */
  blackHole(): Promise<void>
}

/** Where etcd runs: on a host; on host .120 of a local network, and .119 and .118; or on loopback until `Owner` ends. */
type At = Host | Lan | Owner

/** Starts a single etcd and waits until it answers. */
export async function startEtcd(at: Host | Lan, setup?: EtcdSetup): Promise<EtcdHost>
export async function startEtcd(at: Owner, setup?: EtcdSetup): Promise<Etcd>
export async function startEtcd(at: At, setup: EtcdSetup = {}): Promise<Etcd> {
  const seat = 'host' in at ? hostSeat(await at.host(120)) : 'address' in at ? hostSeat(at) : await loopbackSeat(at)
  const [member] = await startAt([seat], setup)
  if (member === undefined) throw new Error('bug: no member')
  return member
}

/** Starts three members and waits until each answers. */
export async function startThreeEtcds(at: Lan, setup?: EtcdSetup): Promise<readonly EtcdHost[]>
export async function startThreeEtcds(at: Owner, setup?: EtcdSetup): Promise<readonly Etcd[]>
export async function startThreeEtcds(at: Lan | Owner, setup: EtcdSetup = {}): Promise<readonly Etcd[]> {
  const seat = async (index: number): Promise<Seat> =>
    'host' in at ? hostSeat(await at.host(120 - index)) : loopbackSeat(at)
  return startAt(await Promise.all([0, 1, 2].map(seat)), setup)
}

/** Where a member is to run. */
interface Seat {
  readonly place: Place
  readonly name: string
  readonly address: string
  readonly port: number
  readonly peerPort: number
  readonly folder: string
  readonly host?: Host
}

function hostSeat(host: Host): Seat {
  return { place: host, name: host.name, address: host.address, port: 2379, peerPort: 2380, folder: '/run', host }
}

async function loopbackSeat(owner: Owner): Promise<Seat> {
  const [port, peerPort] = [await freePort(), await freePort()]
  const folder = tempFolder(owner, 'flanneld-etcd')
  // Before the folder goes, since what starts first is torn down last.
  const place = thisMachine(owner)
  return { place, name: `m${port}`, address: '127.0.0.1', port, peerPort, folder }
}

async function startAt(seats: readonly Seat[], setup: EtcdSetup): Promise<readonly Etcd[]> {
  const peers = seats.map((seat) => `${seat.name}=${peerUrl(seat)}`).join(',')
  const members = seats.map((seat) => memberAt(seat, peers, setup))
  await Promise.all(members.map((member) => member.start()))
  if (setup.config !== undefined) await members[0]?.configure(setup.config)
  return members
}

function peerUrl({ address, peerPort }: Seat): string {
  return `http://${address}:${peerPort}`
}

/** The command line of a member. */
function commandOf(seat: Seat, url: string, peers: string, { tls, args = '' }: EtcdSetup): string {
  const { port } = new URL(url)
  // On a host etcdctl finds it without flags.
  const local = tls === undefined && seat.host !== undefined ? `,http://127.0.0.1:${port}` : ''
  const url6 = seat.host === undefined ? '' : `,${urlOver6(seat.host, url)}`
  return [
    `etcd --name=${seat.name} --unsafe-no-fsync --logger=zap --log-level=warn`,
    `--listen-client-urls=${url}${url6}${local} --advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl(seat)} --initial-advertise-peer-urls=${peerUrl(seat)} --initial-cluster=${peers}`,
    ...(tls === undefined ? [] : serverArgs(tls)),
    args,
  ].join(' ')
}

/** The URL of the same port at the host's IPv6 address. */
function urlOver6({ address6 }: Host, url: string): string {
  const { protocol, port } = new URL(url)
  return `${protocol}//[${address6}]:${port}`
}

function memberAt(seat: Seat, peers: string, setup: EtcdSetup): Etcd | EtcdHost {
  const { place, host, address, folder } = seat
  const port = setup.port ?? seat.port
  const url = `${setup.tls === undefined ? 'http' : 'https'}://${address}:${port}`
  const command = commandOf(seat, url, peers, setup)
  const client = ['etcdctl', `--endpoints=${url}`, ...(setup.tls === undefined ? [] : clientArgs(setup.tls))].join(' ')
  let running: Running | undefined
  let data = `${folder}/etcd`
  const member: Etcd = {
    url,
    url6: host === undefined ? '' : urlOver6(host, url),
    port,
    folder,
    etcdctl: (words, stdin) => place.run(`${client} ${words}`, stdin),
    async configure(config) {
      await member.etcdctl(`put ${PREFIX}/config`, JSON.stringify(config))
    },
    async leases() {
      const keys = await member.etcdctl(`get --prefix --keys-only ${PREFIX}/subnets/`)
      return keys.split('\n').flatMap((key) => (key === '' ? [] : [key.slice(key.lastIndexOf('/') + 1)]))
    },
    async kill() {
      await running?.stop('SIGKILL')
      running = undefined
    },
    async start(dataFolder = data) {
      await member.kill()
      data = dataFolder
      running = await place.spawn(`${command} --data-dir=${data}`)
      await answers(member, running)
    },
    freeze: () => running?.kill('SIGSTOP'),
    thaw: () => running?.kill('SIGCONT'),
  }
  return host === undefined ? member : { ...host, ...member, blackHole: () => dropConnections(host, port) }
}

/** Waits until a member answers, and gives what it printed when it does not. */
async function answers(member: Etcd, running: Running): Promise<void> {
  // Once there are users it asks who we are: then it is up.
  const refused = (error: unknown): boolean => {
    if (/user name is empty|permission denied/.test(String(error))) return true
    throw error
  }
  const up = (): Promise<unknown> => member.etcdctl('get --command-timeout=1s nothing').then(() => true, refused)
  const ended = running.exit.then((exit) => {
    throw new Error(`etcd at ${member.url} ended: ${JSON.stringify(exit)}\n${running.output()}`)
  })
  const answered = waitFor(`etcd at ${member.url}`, up).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${running.output()}`, { cause: error })
  })
  await Promise.race([answered, ended])
}

async function dropConnections(host: Host, port: number): Promise<void> {
  const clients = await host.run(`ss -Htn state established sport = :${port} dst 192.168.19.0/24`)
  const ports = Array.from(clients.matchAll(/:(\d+)\s*$/gm), ([, found]) => found)
  const others = ports.filter((found) => found !== String(port))
  if (others.length === 0) throw new Error(`nobody is connected to ${host.name}`)
  const rules = others.map(
    (other) => `iptables -I INPUT -i enp0s3 -p tcp --sport ${other} --dport ${port} -j DROP
      iptables -I OUTPUT -o enp0s3 -p tcp --sport ${port} --dport ${other} -j DROP`,
  )
  await host.run(rules.join('\n'))
}
