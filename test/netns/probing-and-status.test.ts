// The probes of the daemon and those its examination of the host makes, in one process.
import test from 'ava'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { createLab } from '../lab/world/lab.ts'

test('asking for the status, which probes checksums, leaves the probing of peers alone', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const hosts = [await lan.host(121), await lan.host(122)] as const
  for (const host of hosts) await (await startFlanneld(host, `${ARGS} -probe-interval=1`)).line(/ready:/)
  const [host] = hosts
  const peers = async (): Promise<string> => (await runVerb(host, 'peers')).output
  await waitFor('the peer to be up', async () => / up .* 1450 /.test(await peers()))
  t.is((await runVerb(host, 'status')).code, 0)
  await host.run('iptables -I OUTPUT -p udp --dport 8472 -m length --length 1300:65535 -j DROP')
  await waitFor('the narrow path', async () => / degraded /.test(await peers()))
  await runVerb(host, 'status')
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    t.regex(await peers(), / degraded /)
  }
})
