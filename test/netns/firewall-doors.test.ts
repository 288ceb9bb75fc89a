// Doors past Docker's rules on the LAN's interface: for peers on the link, for their subnets, as the network's config says.
import test from 'ava'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { DOCKER } from '../lab/scenarios/firewall-host.ts'
import { createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('one host-gw lease in a vxlan network opens nothing; DirectRouting opens a door for each peer on the link', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const configure = (backend: object): Promise<void> => etcd.configure({ Network: '10.2.0.0/16', Backend: backend })
  await configure({ Type: 'vxlan' })
  const host = await lan.host(121)
  await host.run('iptables-restore --noflush', DOCKER)
  const daemon = await startFlanneld(host, `${ARGS} -probe-interval=0`)
  await waitForSubnetEnv(host, daemon)
  /** Sources that our rules let in from the LAN, ahead of Docker's. */
  const doors = async (): Promise<readonly string[]> => {
    const saved = await host.run('iptables-save')
    return [
      ...new Set(
        Array.from(
          saved.matchAll(/^-A FLANNEL-OVERLAY -s (\S+)(?: -d \S+)? -i enp0s3 .*ACCEPT$/gm),
          ([, from]) => from ?? '',
        ),
      ),
    ]
  }
  const until = async (...wanted: readonly string[]): Promise<void> => {
    let last: readonly string[] = []
    await waitFor(`doors ${wanted.join()}`, async () => {
      last = await doors()
      return last.join() === wanted.join()
    }).catch(() => undefined)
    t.deepEqual(last, wanted)
  }
  await waitFor('rules', async () => (await host.run('iptables-save')).includes(':FLANNEL-USER'))

  const hostGw = JSON.stringify({ PublicIP: '192.168.19.200', PublicIPv6: null, BackendType: 'host-gw' })
  await putLeases(etcd, [{ name: '10.2.200.0-24', value: hostGw }])
  await waitFor('its route', async () => (await host.run('ip route')).includes('10.2.200.0/24 via 192.168.19.200'))
  // A change of another rule is written after those of the peer.
  await host.run('iptables -F FLANNEL-FWD')
  await waitFor('another pass', async () => (await host.run('iptables -S FLANNEL-FWD')).includes('ACCEPT'))
  t.deepEqual(await doors(), [])

  await putLeases(etcd, [
    { name: '10.2.201.0-24', value: vxlanValue('192.168.19.201', '0a:00:00:00:00:c9') },
    { name: '10.2.202.0-24', value: vxlanValue('192.168.77.202', '0a:00:00:00:00:ca') },
  ])
  await configure({ Type: 'vxlan', DirectRouting: true })
  await until('10.2.200.0/23')
  await etcd.run(`etcdctl del /docker-test/network/subnets/10.2.201.0-24`)
  await until('10.2.200.0/24')
  await configure({ Type: 'vxlan' })
  await until()
})
