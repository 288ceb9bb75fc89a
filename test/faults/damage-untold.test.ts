// Damage that no notification tells a real daemon of: its netlink sockets join no multicast group. The audits find it.
import test from 'ava'
import { createCluster } from '../lab/cluster.ts'
import { DAMAGES, targetOf } from '../lab/damage.ts'
import { READ_RULES } from '../lab/kernel-text.ts'
import { mend } from '../lab/mend.ts'
import { preloaded } from '../lab/preload.ts'
import { record } from '../lab/reliability.ts'

/** From one audit to the next, and what the audit itself may take on a busy machine. Milliseconds. */
const AUDITED_WITHIN = 10_000 + 5000

test.serial('D2: with notifications cut off, each damage is whole again after an audit (daemon)', async (t) => {
  const cluster = await createCluster(t, { program: preloaded(t, 'deaf'), args: '-audit-interval=1' })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) throw new Error('two hosts were asked for')
  let longest = 0
  for (const { fault, script } of DAMAGES.vxlan) {
    t.log(fault)
    const { ms } = await mend(t, own, peer, script(await targetOf(own, peer, 'flannel.1')), { within: AUDITED_WITHIN })
    longest = Math.max(longest, ms)
  }
  t.false(own.daemon.output().includes('found by notification'), own.daemon.output())
  const result = `all ${DAMAGES.vxlan.length} of them, with an audit every second`
  await record({
    fault: 'any of these, untold (a running daemon)',
    promise: 'whole after the next audit',
    ms: longest,
    result,
    test: t.title,
  })
})

test.serial('D2, F2: with notifications cut off, the audit every 10 s finds what was done at once', async (t) => {
  const cluster = await createCluster(t, { program: preloaded(t, 'deaf') })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) throw new Error('two hosts were asked for')
  const script = `ip route del ${peer.subnet}.0/24; ip neigh flush nud permanent dev flannel.1
    ip link set flannel.1 address 0a:00:00:00:00:98; ip link set flannel.1 mtu 1200`
  const { ms } = await mend(t, own, peer, script, { within: AUDITED_WITHIN })
  await record({
    fault: 'route, neighbours, MAC and MTU at once, untold',
    promise: 'whole after the next audit, 10 s later at most',
    ms,
    test: t.title,
  })
  const rules = await mend(t, own, peer, 'iptables -F', { within: AUDITED_WITHIN, read: READ_RULES })
  await record({ fault: 'iptables -F, untold', promise: 'rules back after 5 s', ms: rules.ms, test: t.title })
})
