// Damage that no notification reports to a real daemon: its netlink sockets join no multicast group. The audits find it.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { READ_RULES } from '../lab/instruments/kernel-text.ts'
import { damageAndAwaitRepair } from '../lab/scenarios/repair.ts'
import { preloaded } from '../lab/preload/preload.ts'
import { record } from '../lab/instruments/reliability.ts'

test.serial('with notifications cut off, the audit every 10 s finds several changes made at once', async (t) => {
  const cluster = await createCluster(t, { program: preloaded(t, 'no-netlink-events') })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) throw new Error('two hosts were asked for')
  const script = `ip route del ${peer.subnet}.0/24; ip neigh flush nud permanent dev flannel.1
    ip link set flannel.1 address 0a:00:00:00:00:98; ip link set flannel.1 mtu 1200`
  const { ms } = await damageAndAwaitRepair(t, own, peer, script)
  t.false(own.daemon.output().includes('found by notification'), own.daemon.output())
  await record({
    fault: 'route, neighbours, MAC and MTU at once, no notifications',
    promise: 'repaired after the next audit, 10 s later at most',
    limit: 11_000,
    ms,
    test: t.title,
  })
  const rules = await damageAndAwaitRepair(t, own, peer, 'iptables -F', READ_RULES)
  const promise = 'rules back after 5 s'
  await record({ fault: 'iptables -F, no notifications', promise, limit: 6000, ms: rules.ms, test: t.title })
})
