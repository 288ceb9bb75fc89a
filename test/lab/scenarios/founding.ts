// The network of the founding tutorial: etcd on 192.168.19.120, daemons on .121, .122 and later ones.
import { copyFileSync } from 'node:fs'
import { ROOT, SINGLE_FILE } from '../actors/flanneld.ts'
import type { Host, Lan } from '../world/lab.ts'
import { waitFor } from '../instruments/wait.ts'

/** Where the tutorial keeps its network. */
export const PREFIX = '/docker-test/network'

/** What the daemons of the tutorial are started with. */
export const ARGS = `-etcd-endpoints=http://192.168.19.120:2379 -iface=enp0s3 -etcd-prefix=${PREFIX}`

/** The host with etcd. */
export interface EtcdHost extends Host {
  /** Runs etcdctl there; words of `args` are the shell's. */
  etcdctl(args: string): Promise<string>
  /** Puts the network's config. */
  configure(config: object): Promise<void>
  /** The subnets leased now, "10.2.21.0-24". */
  leases(): Promise<readonly string[]>
  /** Stops etcd where it stands (SIGSTOP): connections stay, answers don't come. */
  freeze(): void
}

/** Host .120 of `lan` with a running etcd, given further arguments. */
export async function etcdHost(lan: Lan, args = ''): Promise<EtcdHost> {
  const host = await lan.host(120)
  const client = `http://${host.address}:2379`
  const daemon = await host.spawn(
    `etcd --data-dir=/run/etcd --unsafe-no-fsync --log-level=warn --listen-client-urls=${client},http://127.0.0.1:2379 ` +
      `--advertise-client-urls=${client} --listen-peer-urls=http://127.0.0.1:2380 ${args}`,
  )
  const etcdctl = (args: string): Promise<string> => host.run(`etcdctl ${args}`)
  await waitFor('etcd', () => etcdctl('endpoint health 2>&1')).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
  return {
    ...host,
    etcdctl,
    freeze: () => {
      daemon.kill('SIGSTOP')
    },
    async configure(config) {
      await host.run(`etcdctl put ${PREFIX}/config`, JSON.stringify(config))
    },
    async leases() {
      const keys = await etcdctl(`get --prefix --keys-only ${PREFIX}/subnets/`)
      return keys.split('\n').flatMap((key) => (key === '' ? [] : [key.slice(key.lastIndexOf('/') + 1)]))
    },
  }
}

/**
 * Copies the single file, alone, to /usr/local/bin/flanneld of a host, and takes this project's folder and the machine's
 * node away from that host: what runs there needs nothing else.
 */
export async function installSingleFile(host: Host): Promise<void> {
  // /usr/local/bin is the host's own; /proc/PID/root is its file system as seen from here.
  copyFileSync(SINGLE_FILE, `/proc/${host.pid}/root/usr/local/bin/flanneld`)
  await host.run(`mount -t tmpfs none ${ROOT}
    for node in $(which -a node); do mount --bind /dev/null $(realpath "$node"); done`)
}
