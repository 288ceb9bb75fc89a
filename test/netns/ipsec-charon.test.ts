// charon as a helper, on this machine's kernel: started, told of peers, found again by the next daemon, and refused where its ports are
// another's. Keys need a kernel with ESP: test/kernels.
import test from 'ava'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { ARGS, CONFIG } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const PSK = 'f00d'.repeat(24)
const IPSEC = { ...CONFIG, Backend: { Type: 'ipsec', PSK } }
const VXLAN = { ...CONFIG, Backend: { Type: 'vxlan' } }

test('charon goes on while the daemon is restarted, and ends with a config that does not want it; its key is nowhere', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure(IPSEC)
  const first = await startFlanneld(host, `${ARGS} -v=1`)
  await waitForSubnetEnv(host, first)
  await first.line(/ ready: /)
  const pid = await host.run('cat /run/flannel/charon/pid')
  t.is((await host.run('stat -c %a /run/flannel/charon')).trim(), '700')
  await first.stop()
  const second = await startFlanneld(host, `${ARGS} -v=1`)
  await second.line(/ ready: /)
  t.is(await host.run('cat /run/flannel/charon/pid'), pid)
  const shown = await host.run(
    `flanneld status -json 2>/dev/null; ps -ef; grep -r . /run/flannel --exclude-dir=none || true`,
  )
  for (const text of [first.output(), second.output(), shown]) t.false(text.includes(PSK))
  await second.stop()
  await etcd.configure(VXLAN)
  const third = await startFlanneld(host, ARGS)
  await third.line(/ ready: /)
  const gone = async (): Promise<boolean> => (await host.run('ls /run/flannel/charon 2>&1 || true')).includes('No such')
  await waitFor('charon to be gone', gone)
})

test('where another program has a port of IKE, one line says so before anything is touched', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure(IPSEC)
  await host.spawn(`${process.execPath} -e 'require("dgram").createSocket("udp4").bind(500)'`)
  await waitFor('the other program', async () => (await host.run('ss -uln')).includes(':500 '))
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/Backend\.Type: 500: in use by another program .*: stop it, or set another Backend\.Type/)
  await t.throwsAsync(host.run('ls /run/flannel/charon'))
})
