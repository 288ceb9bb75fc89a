// One test per damage, all on the same two hosts; the last test shows that the daemon is idle afterwards.
import test from 'ava'
import { fileOwner } from '../world/file-owner.ts'
import { type Cluster, type ClusterOptions, type Node, createCluster } from './cluster.ts'
import { type Damage, FOREIGN, RULES_WITHIN, WITHIN, targetOf } from './damage.ts'
import { READ_RULES, kernelText } from '../instruments/kernel-text.ts'
import { damageAndAwaitRepair } from './repair.ts'
import { startPings } from '../instruments/ping.ts'
import { record } from '../instruments/reliability.ts'
import { waitFor } from '../instruments/wait.ts'

/** Declares the tests of a file: `mode` names the kind of cluster in their titles, `rules` is damage to the firewall. */
export function damageTests(
  mode: string,
  options: ClusterOptions,
  damages: readonly Damage[],
  rules: readonly string[] = [],
): void {
  const owner = fileOwner()
  let cluster: Cluster
  let own: Node
  let peer: Node

  test.before(async () => {
    const args = `-audit-interval=600 -ip-masq ${options.args ?? ''}`
    const prepare = async (host: { address: string; run(script: string): Promise<string> }): Promise<unknown> =>
      host.address.endsWith('.121') && host.run(FOREIGN)
    cluster = await createCluster(owner, { ...options, args, prepare })
    ;[own, peer] = cluster.nodes as [Node, Node]
  })

  for (const { fault, script } of damages) {
    test.serial(`${fault}: repaired by notification (${mode})`, async (t) => {
      const device = mode.includes('host-gw') ? undefined : mode.includes('IPv6') ? 'flannel-v6.1' : 'flannel.1'
      const { ms, gap } = await damageAndAwaitRepair(t, own, peer, script(await targetOf(own, peer, device)))
      const result = `longest time without a packet ${gap} ms`
      const promise = 'repaired within 1 s'
      await record({ fault: `${fault} (${mode})`, promise, limit: WITHIN, ms, result, test: t.title })
    })
  }

  for (const command of rules) {
    test.serial(`${command}: rules are back (${mode})`, async (t) => {
      const { ms } = await damageAndAwaitRepair(t, own, peer, command, READ_RULES)
      const promise = 'rules back within 2 s'
      await record({ fault: `${command} (${mode})`, promise, limit: RULES_WITHIN, ms, test: t.title })
    })
  }

  test.serial(`after all repairs nothing is written and nothing is logged (${mode})`, async (t) => {
    const before = await kernelText(own.host)
    const pings = await startPings(own.container, peer.container.address)
    const monitor = await own.host.spawn('ip monitor link address route nexthop neigh')
    await waitFor('pings', () => pings.received() > 5)
    const logged = own.daemon.output()
    const seen = monitor.stdout().length
    // Some 3 s: the daemon is idle, its audits are far apart here (damage-audit has those).
    await waitFor('400 pings', () => pings.received() > 400)
    const ours = monitor
      .stdout()
      .slice(seen)
      .split('\n')
      .filter((line) => /flannel|proto 142| 10\.2\.\d+\.0|fd00:10:2:\w+::\/64/.test(line))
    t.deepEqual(ours, [], 'netlink reports no change')
    t.is(own.daemon.output(), logged, 'no log line')
    t.deepEqual(await kernelText(own.host), before)
    t.is((await pings.stop()).lost, 0)
    await monitor.stop()
  })
}
