// doctor where auto encrypts: it expects the devices and peers that this host's key gives, which its lease alone shows.
import test from 'ava'
import { runVerb } from '../lab/actors/verb.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { createCluster, networkWith, reaches } from '../lab/scenarios/cluster.ts'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { ARGS } from '../lab/world/network.ts'

const GO = '-wireguard-go=/usr/bin/wireguard-go'

test('doctor: Encrypt always: well while a daemon runs, and a removed WireGuard peer is found where none does', async (t) => {
  const { nodes } = await createCluster(t, { backend: { Type: 'auto', Encrypt: 'always' }, args: GO })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) return t.fail()
  await waitForHealth(own, peer, { state: 'up' })
  t.regex((await runVerb(own.host, 'peers')).stdout, / wireguard encrypted /)
  const well = await runDoctor(own.host)
  t.deepEqual(well.findings, [], well.text)
  t.is(well.code, 0)

  await own.daemon.stop()
  const alone = await runDoctor(own.host, `${ARGS} ${GO}`)
  t.deepEqual(
    alone.findings.map(({ check }) => check),
    ['daemon'],
    alone.text,
  )
  await own.host.run('wg set flannel-wg peer $(wg show flannel-wg peers) remove')
  const { findings, text } = await runDoctor(own.host, `${ARGS} ${GO}`)
  const found = findings.find(({ check }) => check === 'wireguard')
  t.regex(found?.cause ?? text, new RegExp(`^there is no WireGuard peer for ${peer.subnet}\\.0/24`))
  await own.host.run((found?.fix ?? '').replace(/.* by hand: /, ''))
  const repaired = await runDoctor(own.host, `${ARGS} ${GO}`)
  t.deepEqual(
    repaired.findings.map(({ check }) => check),
    ['daemon'],
    repaired.text,
  )
})

test('doctor: Encrypt never, while a peer that did not follow still encrypts: what is kept for it is as it should be', async (t) => {
  const { nodes, etcd } = await createCluster(t, { backend: { Type: 'auto', Encrypt: 'always' }, args: GO })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) return t.fail()
  await peer.daemon.stop('SIGKILL')
  await etcd.configure(networkWith({ Type: 'auto', Encrypt: 'never' }))
  await waitFor('the tunnel', async () => (await own.host.run('ip route show proto 142')).includes('dev flannel.1'))
  await own.daemon.line(/mtu 1450/)
  await own.host.run('ip link set docker0 mtu 1450')
  t.true(await reaches(peer, own))
  const { findings, text } = await runDoctor(own.host)
  t.deepEqual(findings, [], text)
})
