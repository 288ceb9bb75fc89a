// doctor where packets arrive by another path than they leave: a host that receives by plain routes, and a peer that
// receives by VXLAN.
import test from 'ava'
import { createCluster, networkWith, reaches } from '../lab/scenarios/cluster.ts'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { waitFor } from '../lab/instruments/wait.ts'

test('doctor: rp-filter: a strict filter where two backends are at work', async (t) => {
  const { nodes, etcd } = await createCluster(t)
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) return t.fail()
  // The peer's daemon stays behind; its host does what a daemon that follows our lease would do.
  await peer.daemon.stop('SIGKILL')
  await etcd.configure(networkWith({ Type: 'host-gw' }))
  await own.daemon.line(/network config changed/)
  await peer.host.run(`ip route replace ${own.subnet}.0/24 via ${own.host.address} dev enp0s3`)
  await waitFor('two ways', () => reaches(own, peer))
  const small = await runDoctor(own.host)
  t.regex(small.text, /^degraded [^]*FAULT {2}docker0: .*its containers send smaller packets than need be/)
  await own.host.run('ip link set v2 mtu 1500; ip link set docker0 mtu 1500')
  t.deepEqual((await runDoctor(own.host)).findings, [])

  await own.host.run('sysctl -q -w net.ipv4.conf.enp0s3.rp_filter=1')
  t.false(await reaches(own, peer), 'a strict filter drops what comes in by the other way')
  const { findings, text } = await runDoctor(own.host, peer.host.address)
  t.deepEqual(
    findings.filter(({ check }) => check !== 'udp-port' && check !== 'peers').map(({ check }) => check),
    ['rp-filter'],
    text,
  )
  const found = findings.find(({ check }) => check === 'rp-filter')
  t.regex(found?.cause ?? '', /the reverse path filter of enp0s3 drops packets of peers/)
  t.regex(found?.proof ?? '', /sends comes in by enp0s3, answers leave by flannel\.1/)
  t.regex(found?.fix ?? '', /^sysctl -w net\.ipv4\.conf\.enp0s3\.rp_filter=2 net\.ipv4\.conf\.all\.rp_filter=2/)
  await own.host.run((found?.fix ?? '').replace(/, and.*/, ''))
  t.true(await reaches(own, peer), 'the fix repairs it')
})
