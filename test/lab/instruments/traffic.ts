// What a fault must not do to a host: delete what forwards, flood the log, burn the processor. Watched from outside.
import type { ExecutionContext } from 'ava'
import { kernelText } from './kernel-text.ts'
import type { Place } from '../world/space.ts'
import { DEADLINE, waitFor } from './wait.ts'
import { type Running, cpuTime } from '../world/process.ts'
import { PREFIX } from '../world/network.ts'
import type { EtcdHost } from '../world/etcd.ts'

/** A watch over a host from now on. */
export interface TrafficWatch {
  /** Our objects in the kernel when the watch started. */
  readonly before: string
  /** Deletions of ours that netlink has reported so far. */
  deletions(): readonly string[]
  /** Log lines of the daemon so far, without those about probes. */
  lines(): readonly string[]
  /**
   * Asserts that nothing of ours was deleted so far and that the log was not flooded: about `mostLines` are expected, and a
   * busy machine, whose etcd answers late, logs some more.
   */
  assertQuiet(t: ExecutionContext, mostLines: number): void
  /** Share of one core the daemon has used since, in percent. */
  cpu(): number
}

/** Starts to watch a host and its daemon. */
export async function watchTraffic(host: Place, daemon: Running): Promise<TrafficWatch> {
  const { ours: before } = await kernelText(host)
  const monitor = await host.spawn('ip monitor link address route nexthop neigh')
  // It listens once it reports an address added to loopback and deleted.
  await waitFor('ip monitor', async () => {
    await host.run('ip addr add 127.77.0.1/32 dev lo && ip addr del 127.77.0.1/32 dev lo')
    return monitor.stdout().includes('127.77.0.1')
  })
  const skip = daemon.output().length
  const began = { cpu: cpuTime(daemon.pid), at: performance.now() }
  // Peers that exist in etcd alone answer no probe. That is logged once and is not what this watches.
  const lines = (): readonly string[] =>
    daemon
      .output()
      .slice(skip)
      .split('\n')
      .filter((line) => line !== '' && !/ probe\/[\w-]+\.ts:/.test(line))
  const deletions = (): readonly string[] =>
    monitor
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('Deleted') && /flannel|10\.2\.\d+\.0/.test(line))
  return {
    before,
    deletions,
    lines,
    cpu: () => ((cpuTime(daemon.pid) - began.cpu) / (performance.now() - began.at)) * 100,
    assertQuiet(t, mostLines) {
      t.deepEqual(deletions(), [], 'nothing was withdrawn')
      t.true(lines().length <= 3 * mostLines + 10, `at most ${mostLines} lines:\n${lines().join('\n')}`)
    },
  }
}

/** How often a line was printed. */
export function countMatches(lines: readonly string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length
}

/** Puts a peer that exists in etcd alone and never expires: its address is 192.168.19.N, its subnet 10.2.N.0/24 by default. */
export async function putPeer(member: EtcdHost, n: number, subnet = `10.2.${n}.0`, prefix = PREFIX): Promise<void> {
  const mac = `0a:00:00:00:00:${n.toString(16).padStart(2, '0')}`
  const value = { PublicIP: `192.168.19.${n}`, BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: mac } }
  await member.etcdctl(`put ${prefix}/subnets/${subnet}-24 '${JSON.stringify(value)}'`)
}

/** Waits until the kernel holds, or holds no more, a peer of putPeer; milliseconds that took. */
export async function waitForPeer(host: Place, n: number, there: boolean, deadline = DEADLINE): Promise<number> {
  const began = performance.now()
  const key = `10.2.${n}.0`
  await waitFor(
    `peer ${n} to be ${there ? 'there' : 'gone'}`,
    async () => {
      const { ours } = await kernelText(host)
      const found = [`${key}/24 `, `neighbor ${key} `, ` dst 192.168.19.${n} `].filter((part) => ours.includes(part))
      return found.length === (there ? 3 : 0)
    },
    deadline,
  )
  return performance.now() - began
}
