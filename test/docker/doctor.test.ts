// doctor next to a real Docker engine: Docker's own rules are no fault; an old bridge is, and so is br_netfilter switched off.
import test from 'ava'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { startDocker } from '../lab/world/docker.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, type Lab, createLab } from '../lab/world/lab.ts'
import { tryUpTo } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let lab: Lab
let host: Host
/** The leased subnet, in the form of --bip. */
let subnet: string

test.before(async () => {
  lab = await createLab(owner)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.76.0', Backend: { Type: 'vxlan' } })
  host = await lan.host(121)
  const other = await lan.host(122)
  const [daemon, peer] = [await startFlanneld(host, `${ARGS} -ip-masq`), await startFlanneld(other, ARGS)]
  subnet = (await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'] ?? ''
  await waitForSubnetEnv(other, peer)
})

/** The checks of doctor that find something. */
const failing = async (): Promise<readonly string[]> => (await runDoctor(host)).findings.map(({ check }) => check)

test.serial('a docker0 with an old subnet is a fault, with the commands that repair it', async (t) => {
  const old = await startDocker(lab, host, '--bip=10.2.99.1/24 --mtu=1450')
  const [stale] = (await runDoctor(host)).findings
  t.is(stale?.check, 'docker0')
  t.regex(stale?.fix ?? '', /run flanneld docker-opts and restart dockerd/)
  await old.daemon.stop()
  // Docker keeps the bridge it finds.
  await host.run('ip link del docker0')
})

test.serial('a port published through the userland proxy is no fault', async (t) => {
  const proxied = await startDocker(lab, host, `--bip=${subnet} --mtu=1450`)
  await proxied.container('aa', '-p 8080:80')
  await t.notThrowsAsync(
    tryUpTo(5, 'no fault with a published port', async () => (await failing()).length === 0, t.log),
  )
  await host.run('docker rm -f aa')
  await proxied.daemon.stop()
})

test.serial('a port published without the proxy is a fault only while br_netfilter is switched off', async (t) => {
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
