// `flanneld status`, as an operator sees it: before the start, healthy, with an old docker0, with a foreign route in the way, and
// stopped.
import test from 'ava'
import { BUNDLE, type SubnetEnv, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type VerbEnd, runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import type { Running } from '../lab/world/process.ts'
import { subnetBeside } from '../lab/world/subnets.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let host: Host
let other: Host
let daemon: Running
let env: SubnetEnv
/** "10.2.200.0": not the host's own, whichever it chose. */
let foreign: string

test.before(async () => {
  const lan = await (await createLab(owner)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  ;[host, other] = await Promise.all([lan.host(121), lan.host(122)])
})

const status = (): Promise<VerbEnd> => runVerb(host, 'status')
const escape = (text: string): string => text.replaceAll('.', '\\.')
const foreignAddress = (): string => foreign.replace(/0$/, '1/24')

test.serial('before the first start: not running, and how to start it', async (t) => {
  const { code, stdout } = await status()
  t.is(code, 3)
  t.regex(stdout, /^● not running[^]*no subnet\.env[^]*→ no daemon answers\. Run: systemctl start flanneld$/m)
})

test.serial('healthy: lease, store, tunnel, kernel and firewall in a line each', async (t) => {
  daemon = await startFlanneld(host, ARGS)
  env = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready:/)
  await waitFor('the firewall', async () => /forward ✓/.test((await status()).stdout))
  const { code, stdout } = await status()
  t.is(code, 0)
  const subnet = escape((env['FLANNEL_SUBNET'] ?? '').replace('.1/', '.0/'))
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
})

test.serial('the socket is for root and its group, and who may not use it learns that', async (t) => {
  t.is(await host.run('stat -c %a /run/flannel/flanneld.sock'), '660\n')
  const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups'
  t.regex(
    await host.run(`${nobody} ${BUNDLE} status 2>&1; echo $?`),
    /flanneld\.sock: permission denied: run as root.*\n1$/m,
  )
})

test.serial('docker0 on another subnet: degraded, with both subnets and what to restart', async (t) => {
  foreign = subnetBeside(env['FLANNEL_SUBNET'] ?? '')
  await host.run(
    `ip link add docker0 type bridge && ip addr add ${foreignAddress()} dev docker0 && ip link set docker0 up`,
  )
  const { code, stdout } = await status()
  t.is(code, 1)
  const cause = `docker0: has ${escape(foreignAddress())}, leased is .*restart dockerd`
  t.regex(stdout, new RegExp(`^● degraded {3}docker0 is stale[^]*→ ${cause}`, 'm'))
  await host.run('ip link del docker0')
})

test.serial("a foreign route where a peer's belongs: degraded, with the command that removes it", async (t) => {
  await host.run(`ip route add ${foreign}/24 via 192.168.19.1 dev enp0s3 proto static`)
  await other.run(
    'mkdir -p /run/flannel && cat > /run/flannel/subnet.env',
    `FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=${foreignAddress()}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
  )
  const peer = await startFlanneld(other, ARGS)
  await peer.line(/ready:/)
  await waitFor('the conflict in status', async () => /1 conflict/.test((await status()).stdout))
  const { code, stdout } = await status()
  t.is(code, 1)
  const route = `${escape(foreign)}/24 via 192\\.168\\.19\\.1 dev enp0s3 proto static`
  const [, command] =
    new RegExp(`→ a foreign object is in the place of ours: ${route}: remove it\\. Run: (.*)`).exec(stdout) ?? []
  t.truthy(command, stdout)
  await host.run(command ?? '')
  await waitFor('the command to solve it', async () => !/conflict/.test((await status()).stdout))
  t.pass()
})

test.serial('stopped: what is left in the kernel, and what etcd says where it is given', async (t) => {
  await daemon.stop()
  const { code, stdout } = await status()
  t.is(code, 3)
  t.regex(
    stdout,
    /^● not running[^]*forwarding is as the last daemon left it\n {2}kernel {3}flannel\.1 · 1 route to peers$/m,
  )
  t.notRegex(stdout, /etcd/, 'no option names it')
  const withEtcd = await runVerb(host, `status ${ARGS}`)
  t.regex(withEtcd.stdout, /^ {2}etcd {5}2 leases, ours ends in 23h .* · 2 of 255 subnets used/m)
  t.is(await host.run('ls /run/flannel'), 'subnet.env\n', 'the socket went with the daemon')
})
