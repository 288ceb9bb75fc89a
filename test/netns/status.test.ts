// `flanneld status`, as an operator sees it: healthy, with a foreign route in the way, with an old docker0, and stopped.
import test, { type ExecutionContext } from 'ava'
import { BUNDLE, ready, startFlanneld } from '../lab/actors/flanneld.ts'
import { ARGS, etcdHost } from '../lab/scenarios/founding.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { subnetBeside } from '../lab/world/subnets.ts'
import { verb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** Every line of a healthy host without peers. */
function saysHealthy(t: ExecutionContext, stdout: string, own: string): void {
  const subnet = own.replace('.1/', '.0/').replaceAll('.', '\\.')
  for (const line of [
    /^● healthy {3}0 peers · host121 192\.168\.19\.121 · up \d+s$/m,
    new RegExp(
      `^  subnet   ${subnet}   lease renewed \\d+s ago, 23h 59m left +network 10\\.2\\.0\\.0/16 · 1 of 255 subnets used$`,
      'm',
    ),
    /^ {2}store {4}etcd 1\/1 · rev \d+ · watch live +no TLS$/m,
    /^ {2}tunnel {3}flannel\.1 vxlan vni 1 udp 8472 · mtu 1450 {3}rx \d.*B tx \d.*B drops \d+$/m,
    /^ {2}kernel {3}3\/3 objects as wanted · last audit \d+s ago · 0 repairs in 24h$/m,
    /^ {2}firewall forward ✓ · guard: 8472 from 0 peers, 0 packets of unknown senders · by iptables-(nft|legacy)$/m,
  ]) {
    t.regex(stdout, line)
  }
}

/** After the daemon has stopped. */
async function saysWhatIsLeft(t: ExecutionContext, host: Host): Promise<void> {
  const left = await verb(host, 'status')
  t.is(left.code, 3)
  t.regex(
    left.stdout,
    /^● not running[^]*forwarding is as the last daemon left it\n {2}kernel {3}flannel\.1 · 1 route to peers$/m,
  )
  t.notRegex(left.stdout, /etcd/, 'nobody said where it is')
  t.regex(
    (await verb(host, `status ${ARGS}`)).stdout,
    /^ {2}etcd {5}2 leases, ours ends in 23h .* · 2 of 255 subnets used/m,
  )
}

test('status says healthy, degraded with cause and mend, and what is left when no daemon runs', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await etcdHost(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const [host, other] = [await lan.host(121), await lan.host(122)]
  const ask = (): ReturnType<typeof verb> => verb(host, 'status')
  const before = await ask()
  t.is(before.code, 3)
  t.regex(before.stdout, /^● not running[^]*no subnet\.env[^]*→ no daemon answers\. Run: systemctl start flanneld$/m)

  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await ready(host, daemon)
  await daemon.line(/ready:/)
  await waitFor('the firewall', async () => /forward ✓/.test((await ask()).stdout))
  const healthy = await ask()
  t.is(healthy.code, 0)
  saysHealthy(t, healthy.stdout, own)
  t.is(await host.run('stat -c %a /run/flannel/flanneld.sock'), '660\n')
  const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups'
  t.regex(
    await host.run(`${nobody} ${BUNDLE} status 2>&1; echo $?`),
    /flanneld\.sock: permission denied: run as root.*\n1$/m,
  )

  // Not the host's own, whichever it chose.
  const beside = subnetBeside(own)
  const address = beside.replace(/0$/, '1/24')
  const escaped = beside.replaceAll('.', '\\.')
  await host.run(`ip link add docker0 type bridge && ip addr add ${address} dev docker0 && ip link set docker0 up`)
  const stale = await ask()
  t.is(stale.code, 1)
  t.regex(
    stale.stdout,
    new RegExp(
      `^● degraded {3}docker0 is stale[^]*→ docker0: has ${escaped.replace(/0$/, '1/24')}, leased is .*restart dockerd`,
      'm',
    ),
  )
  await host.run('ip link del docker0')

  await host.run(`ip route add ${beside}/24 via 192.168.19.1 dev enp0s3 proto static`)
  await other.run(
    'mkdir -p /run/flannel && cat > /run/flannel/subnet.env',
    `FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=${address}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
  )
  const peer = await startFlanneld(other, ARGS)
  await peer.line(/ready:/)
  await waitFor('the conflict in status', async () => /1 conflict/.test((await ask()).stdout))
  const found = await ask()
  t.is(found.code, 1)
  const [, command = ''] =
    new RegExp(
      `→ in our way and not ours: ${escaped}/24 via 192\\.168\\.19\\.1 dev enp0s3 proto static: remove it\\. Run: (.*)`,
    ).exec(found.stdout) ?? []
  await host.run(command)
  await waitFor('what was told to be the mend to mend it', async () => !/conflict/.test((await ask()).stdout))

  await daemon.stop()
  await saysWhatIsLeft(t, host)
  t.is(await host.run('ls /run/flannel'), 'subnet.env\n', 'the socket went with the daemon')
})
