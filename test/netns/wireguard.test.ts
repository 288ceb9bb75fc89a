// Backend wireguard with wireguard-go, from end to end: what the matrix does not hold.
import test from 'ava'
import { createCluster, reaches } from '../lab/scenarios/cluster.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { BUNDLE } from '../lab/actors/flanneld.ts'
import { ARGS } from '../lab/world/network.ts'
import { startPings } from '../lab/instruments/ping.ts'

const CLUSTER = { backend: { Type: 'wireguard' }, args: '-wireguard-go=/usr/bin/wireguard-go' }

test('another key file and SIGHUP: the lease has the new key, and peers follow at once', async (t) => {
  const { nodes } = await createCluster(t, CLUSTER)
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) throw new Error('two nodes')
  const keys = async (): Promise<string> => (await peer.host.run('wg show flannel-wg peers')).trim()
  const before = await keys()
  await own.host.run('rm -f /run/flannel/wgkey; (umask 377; wg genkey >/run/flannel/wgkey)')
  const wanted = (await own.host.run('wg pubkey </run/flannel/wgkey')).trim()
  own.daemon.kill('SIGHUP')
  await waitFor('the peer has the new key', async () => (await keys()) === wanted)
  t.not(wanted, before)
  t.is((await own.host.run('wg show flannel-wg public-key')).trim(), wanted)
  await waitFor('ping', () => reaches(own, peer))
  const secret = (await own.host.run('cat /run/flannel/wgkey')).trim()
  t.false(own.daemon.output().includes(secret))
})

test('a wrong endpoint is put right while packets are sent; without a key file a wrong one is named', async (t) => {
  const { nodes } = await createCluster(t, CLUSTER)
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) throw new Error('two nodes')
  const pings = await startPings(own.container, peer.container.address)
  await waitFor('pings', () => pings.received() > 20)
  await own.host.run('wg set flannel-wg peer $(wg show flannel-wg peers) endpoint 192.168.19.9:9')
  const before = pings.received()
  await waitFor('pings again', () => pings.received() > before + 50)
  t.regex(await own.host.run('wg show flannel-wg endpoints'), new RegExp(`${peer.host.address}:51820`))
  await pings.stop()
  await own.daemon.stop()
  await own.host.run('rm -f /run/flannel/wgkey; echo nonsense >/run/flannel/wgkey')
  const again = await own.host.spawn(`${BUNDLE} ${ARGS} ${CLUSTER.args}`)
  await again.line(/WireGuard key file: \/run\/flannel\/wgkey: holds no key: it must be what wg genkey prints/)
  t.pass()
})
