// A clone of a host, MAC address included, on another local network: only its address differs.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test.serial('a clone with machine-id, MAC and subnet.env: two subnets, the first host is left alone', async (t) => {
  const lab = await createLab(t)
  const near = await lab.lan()
  const far = await lab.lan({ prefix: '192.168.20' })
  await lab.router(near, far)
  const [etcd, first, clone] = await Promise.all([startEtcd(near), near.host(121), far.host(121)])
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const daemon = await startFlanneld(first, ARGS)
  const { FLANNEL_SUBNET: subnet = '' } = await waitForSubnetEnv(first, daemon)
  await daemon.line(/ ready: /)
  const key = `${PREFIX}/subnets/${subnet.replace('.1/24', '.0-24')}`
  const entry = (): Promise<string> => etcd.etcdctl(`get ${key} -w fields | grep -E '"(Value|ModRevision|Lease)"'`)
  const before = await entry()

  const mac = await deviceMac(first, 'enp0s3')
  await clone.run(`ip link set enp0s3 address ${mac}; mkdir -p /run/flannel`)
  await clone.run('cat >/etc/machine-id', await first.run('cat /etc/machine-id'))
  await clone.run('cat >/run/flannel/subnet.env', await first.run('cat /run/flannel/subnet.env'))
  const began = performance.now()
  const second = await startFlanneld(clone, ARGS)
  await second.line(/ ready: /, 60_000)
  const ms = performance.now() - began
  t.not((await subnetEnv(clone))['FLANNEL_SUBNET'], subnet)
  t.is(await entry(), before)
  t.deepEqual(errors(daemon), [])
  for (const [host, other] of [
    [first, clone],
    [clone, first],
  ] as const) {
    await waitFor('the other as a peer', async () =>
      (await host.run('bridge fdb show dev flannel.1')).includes(`dst ${other.address} `),
    )
  }
  t.not(await deviceMac(first), await deviceMac(clone), 'a VTEP has a MAC of its own')
  await waitFor('both leases', async () => (await etcd.leases()).length === 2)
  await record({
    fault: 'a host cloned with its MAC, on another network',
    promise: 'two subnets, the first host is left alone',
    ms,
    test: t.title,
  })
})

async function deviceMac(host: Host, device = 'flannel.1'): Promise<string> {
  return /link\/ether (\S+)/.exec(await host.run(`ip link show ${device}`))?.[1] ?? ''
}
