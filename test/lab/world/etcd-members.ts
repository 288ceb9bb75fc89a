// An etcd of one or three members on hosts of the lab, each of which can be killed, frozen, cut off or started on other data.
// Invariant: members end with their hosts, so a test cleans nothing up; etcdctl always speaks to its own member.
import type { Host, Lan } from './lab.ts'
import { PREFIX } from '../scenarios/founding.ts'
import type { Running } from './process.ts'
import { waitFor } from '../instruments/wait.ts'

/** A member on a host of its own. */
export interface Member extends Host {
  /** Where clients reach it. */
  readonly url: string
  /** Runs etcdctl there; words of `args` are the shell's. */
  etcdctl(args: string, stdin?: string): Promise<string>
  /** Kills it. */
  kill(): Promise<void>
  /** Starts it, on the data it had or on those of another folder, and waits until it answers. */
  start(folder?: string): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  /** Drops every packet of its clients' present connections from now on, without a word; new connections pass. */
  blackHole(): Promise<void>
}

/** How to start members. */
export interface MemberSetup {
  readonly count?: 1 | 3
  /** Further arguments of etcd. */
  readonly args?: string
  /** Flags by which etcdctl gets in, and the scheme of URLs. */
  readonly access?: string
  readonly scheme?: 'http' | 'https'
  /** The network's config, put at once. */
  readonly config?: object
}

/** The upper half for daemons, so that peers which tests put into the lower half are in nobody's way. */
export const CONFIG = { Network: '10.2.0.0/16', SubnetLen: 24, SubnetMin: '10.2.128.0', Backend: { Type: 'vxlan' } }

/** Makes hosts .120, .119, .118 of `lan` with a running member each. */
export async function startMembers(lan: Lan, setup: MemberSetup = {}): Promise<readonly Member[]> {
  const { count = 1, config = CONFIG } = setup
  const hosts = await Promise.all(Array.from({ length: count }, (_, i) => lan.host(120 - i)))
  const cluster = hosts.map(({ name, address }) => `${name}=http://${address}:2380`).join(',')
  const members = hosts.map((host) => memberOn(host, cluster, setup))
  await Promise.all(members.map((member) => member.start()))
  await members[0]?.etcdctl(`put ${PREFIX}/config`, JSON.stringify(config))
  return members
}

/** The daemon's arguments to reach these members. */
export function argsFor(members: readonly Member[]): string {
  return `-etcd-endpoints=${members.map((member) => member.url).join(',')} -iface=enp0s3 -etcd-prefix=${PREFIX} -healthz-port=9000`
}

function memberOn(host: Host, cluster: string, { args = '', access = '', scheme = 'http' }: MemberSetup): Member {
  const { name, address } = host
  const url = `${scheme}://${address}:2379`
  let running: Running | undefined
  let data = '/run/etcd'
  const etcdctl = (words: string, stdin?: string): Promise<string> =>
    host.run(`etcdctl --endpoints=${url} ${access} ${words}`, stdin)
  return {
    ...host,
    url,
    etcdctl,
    async kill() {
      await running?.stop('SIGKILL')
      running = undefined
    },
    async start(folder = data) {
      data = folder
      const member = await host.spawn(
        `etcd --name=${name} --data-dir=${folder} --unsafe-no-fsync --log-level=error --logger=zap --log-outputs=stderr ` +
          `--listen-client-urls=${url} --advertise-client-urls=${url} --listen-peer-urls=http://${address}:2380 ` +
          `--initial-advertise-peer-urls=http://${address}:2380 --initial-cluster=${cluster} ${args}`,
      )
      running = member
      // Once there are users it asks who we are: then it is up.
      const up = (): Promise<unknown> =>
        etcdctl('get nothing').catch((error: unknown) => String(error).includes('user name is empty'))
      await waitFor(`etcd on ${name}`, up).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${member.output()}`)
      })
    },
    freeze: () => running?.kill('SIGSTOP'),
    thaw: () => running?.kill('SIGCONT'),
    async blackHole() {
      const clients = await host.run(`ss -Htn state established sport = :2379 dst 192.168.19.0/24`)
      const ports = Array.from(clients.matchAll(/:(\d+)\s*$/gm), ([, port]) => port)
      const others = ports.filter((port) => port !== '2379')
      if (others.length === 0) throw new Error(`nobody is connected to ${name}`)
      await host.run(
        others
          .map(
            (port) => `iptables -I INPUT -i enp0s3 -p tcp --sport ${port} --dport 2379 -j DROP
            iptables -I OUTPUT -o enp0s3 -p tcp --sport 2379 --dport ${port} -j DROP`,
          )
          .join('\n'),
      )
    },
  }
}
