// A docker0 with an old subnet or MTU is reported, and the command in the report repairs it.
import test from 'ava'
import { startDocker } from '../lab/world/docker.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const NETWORK = { Network: '10.2.0.0/16' }

test('the daemon reports a docker0 with an old MTU or an old subnet, and what to run', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const host = await lan.host(121)
  await etcd.configure({ ...NETWORK, Backend: { Type: 'host-gw' } })
  const start = (): ReturnType<typeof startFlanneld> => startFlanneld(host, `${ARGS} -audit-interval=1`)
  const daemon = await start()
  const env = await waitForSubnetEnv(host, daemon)
  const options = (): string => `--bip=${env['FLANNEL_SUBNET']} --mtu=1500`
  const docker = await startDocker(lab, host, options())
  await docker.container('aa', '--stop-signal=KILL')

  await etcd.configure({ ...NETWORK, Backend: { Type: 'vxlan' } })
  const advice = 'run flanneld docker-opts and restart dockerd'
  await daemon.line(new RegExp(`^W.*docker0: has mtu 1500, leased is 1450: .*${advice}`))
  await docker.daemon.stop()
  await startDocker(lab, host, `--bip=${env['FLANNEL_SUBNET']} --mtu=1450`)
  await host.run('docker start aa')
  await daemon.line(/^I.*docker0: no longer with an old subnet or mtu/)

  // Another network, and with it another subnet, at a restart of flanneld.
  await daemon.stop()
  await etcd.etcdctl(`del --prefix ${PREFIX}/subnets/`)
  await etcd.configure({ Network: '10.3.0.0/16', Backend: { Type: 'vxlan' } })
  const next = await start()
  const line = await next.line(/docker0: has 10\.2\.\d+\.1\/24, leased is 10\.3\.\d+\.0\/24: /)
  t.regex(line, new RegExp(`^W.*${advice}`))
})
