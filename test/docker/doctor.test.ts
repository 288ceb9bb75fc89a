// doctor beside a real Docker engine: its rules are no fault, its old bridge is, and so is what its published ports need.
import test from 'ava'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { startDocker } from '../lab/world/docker.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { tryUpTo } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('doctor: docker0 and br-netfilter, with dockerd', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.76.0', Backend: { Type: 'vxlan' } })
  const [host, other] = [await lan.host(121), await lan.host(122)]
  const [daemon, peer] = [await startFlanneld(host, `${ARGS} -ip-masq`), await startFlanneld(other, ARGS)]
  const { FLANNEL_SUBNET: subnet = '' } = await waitForSubnetEnv(host, daemon)
  await waitForSubnetEnv(other, peer)
  const failing = async (): Promise<readonly string[]> => (await runDoctor(host)).findings.map(({ check }) => check)

  const old = await startDocker(lab, host, '--bip=10.2.99.1/24 --mtu=1450')
  const [stale] = (await runDoctor(host)).findings
  t.is(stale?.check, 'docker0')
  t.regex(stale?.fix ?? '', /run flanneld docker-opts and restart dockerd/)
  await old.daemon.stop()
  // Docker keeps the bridge it finds.
  await host.run('ip link del docker0')
  const proxied = await startDocker(lab, host, `--bip=${subnet} --mtu=1450`)
  await proxied.container('aa', '-p 8080:80')
  await tryUpTo(5, 'no fault with a published port', async () => (await failing()).length === 0, t.log)
  await host.run('docker rm -f aa')
  await proxied.daemon.stop()

  const bare = await startDocker(lab, host, `--bip=${subnet} --mtu=1450 --userland-proxy=false`)
  await bare.container('bb', '-p 8080:80')
  await tryUpTo(5, 'no fault without the proxy', async () => (await failing()).length === 0, t.log)
  await host.run('sysctl -q -w net.bridge.bridge-nf-call-iptables=0')
  const [found] = (await runDoctor(host)).findings
  t.is(found?.check, 'br-netfilter')
  t.regex(found?.proof ?? '', /--dport 8080 -j DNAT --to-destination 10\.2\.\d+\.\d+:80/)
  await host.run((found?.fix ?? '').replace(/^modprobe br_netfilter; /, '').replace(/, and both.*/, ''))
  t.deepEqual(await failing(), [])
  await bare.daemon.stop()
})
