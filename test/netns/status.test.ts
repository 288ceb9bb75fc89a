// `flanneld status`, as an operator sees it: whole, with a foreign route in the way, with an old docker0, and stopped.
import test from 'ava'
import { BUNDLE, ready, startFlanneld } from '../lab/flanneld.ts'
import { ARGS, etcdHost } from '../lab/founding.ts'
import { type Host, createLab } from '../lab/lab.ts'
import { waitFor } from '../lab/wait.ts'

/** What it prints, with its exit status in the last line. */
const ask = (host: Host, flags = ''): Promise<string> => host.run(`${BUNDLE} status ${flags}; echo "exit $?"`)

test('status says whole, degraded with cause and mend, and what is left when no daemon runs', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await etcdHost(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const [host, other] = [await lan.host(121), await lan.host(122)]
  t.regex(await ask(host), /^not running[^]*no subnet\.env[^]*exit 3$/m)

  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await ready(host, daemon)
  await daemon.line(/ready:/)
  const whole = await ask(host)
  t.regex(whole, /^whole {3}enp0s3 192\.168\.19\.121/)
  t.regex(
    whole,
    new RegExp(`subnet +${own.replace('.1/', '.0/').replaceAll('.', '\\.')} +network 10\\.2\\.0\\.0/16 +mtu 1450`),
  )
  t.regex(whole, /exit 0/)
  t.is(await host.run('stat -c %a /run/flannel/flanneld.sock'), '660\n')

  await host.run('ip link add docker0 type bridge && ip addr add 10.2.250.1/24 dev docker0 && ip link set docker0 up')
  t.regex(await ask(host), /^degraded[^]*→ docker0: has 10\.2\.250\.1\/24, leased is .*restart dockerd[^]*exit 1/m)
  await host.run('ip link del docker0')

  await host.run('ip route add 10.2.77.0/24 via 192.168.19.1 dev enp0s3 proto static')
  await other.run(
    'mkdir -p /run/flannel && cat > /run/flannel/subnet.env',
    'FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=10.2.77.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
  )
  const peer = await startFlanneld(other, ARGS)
  await peer.line(/ready:/)
  await waitFor('the conflict in status', async () => /degraded/.test(await ask(host)))
  t.regex(await ask(host), /→ in our way and not ours: 10\.2\.77\.0\/24 via 192\.168\.19\.1 dev enp0s3.*remove it/)
  const json = JSON.parse((await ask(host, '-json')).split('\n')[0] ?? '') as Record<string, Record<string, unknown>>
  t.like(json, { verdict: { word: 'degraded', code: 1 }, status: { peers: 1, backend: 'vxlan', ready: true } })

  await daemon.stop()
  t.regex(await ask(host), /^not running[^]*forwarding is as the last daemon left it[^]*exit 3$/m)
  t.is(await host.run('ls /run/flannel'), 'subnet.env\n', 'the socket went with the daemon')
})
