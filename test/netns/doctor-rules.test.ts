// doctor on rules that are not where the others look: our own nftables table, and hosts that keep our forward rules out.
import test from 'ava'
import { createCluster, reaches } from '../lab/scenarios/cluster.ts'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { tryUpTo, waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'

test('doctor: firewall: our nftables table deleted, and FORWARD shut where our rules are not wanted', async (t) => {
  const { nodes, etcd } = await createCluster(t, { args: '-iptables-forward-rules=false' })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) return t.fail()
  await own.host.run('iptables -P FORWARD DROP')
  t.false(await reaches(own, peer))
  const shut = (await runDoctor(own.host)).findings.find(({ check }) => check === 'firewall')
  t.regex(shut?.cause ?? '', /FORWARD drops by policy, and -iptables-forward-rules=false disables our rules/)
  await own.host.run((shut?.fix ?? '').replace(/; or remove.*/, ''))
  t.true(await reaches(own, peer), 'the fix repairs it')
  t.deepEqual((await runDoctor(own.host)).findings, [])
  await own.host.run('iptables -P FORWARD ACCEPT; iptables -F FORWARD')

  await own.daemon.stop()
  await etcd.configure({ Network: '10.2.0.0/16', SubnetLen: 24, EnableNFTables: true, Backend: { Type: 'vxlan' } })
  const { text } = await runDoctor(own.host, `${ARGS} -ip-masq`)
  t.regex(text, /FAULT {2}firewall: our nftables table is missing/)
  const daemon = await startFlanneld(own.host, `${ARGS} -ip-masq`)
  await daemon.line(/ ready: /)
  await waitFor('the table', () => own.host.run('nft list table ip flannel-ipv4'))
  // The table is there before the daemon has read it back.
  await tryUpTo(5, 'no fault', async () => (await runDoctor(own.host)).findings.length === 0, t.log)
  await daemon.stop('SIGKILL')
  await own.host.run('nft delete table ip flannel-ipv4')
  const found = (await runDoctor(own.host, `${ARGS} -ip-masq`)).findings.find(({ check }) => check === 'firewall')
  t.regex(
    found?.cause ?? '',
    /our nftables table is missing: packets between containers are dropped or get another address/,
  )
  t.regex(found?.fix ?? '', /^start flanneld/)
})
