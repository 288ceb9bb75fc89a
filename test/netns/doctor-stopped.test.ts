// doctor where the daemon was killed and nothing is repaired: what carries packets is damaged by hand, one thing at a time; cause and
// fix are read in the output, and the command it gives for doing it by hand is run.
import test from 'ava'
import { macOf } from '../lab/scenarios/cluster.ts'
import { type DoctorFault, type TwoHosts, doctorFaultTests, runDoctor } from '../lab/scenarios/doctor.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { preloaded } from '../lab/preload/preload.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

const key = ({ own }: TwoHosts): string => `${PREFIX}/subnets/${own.subnet}.0-24`

/** Of every fault here the daemon's absence is one more. */
const FAULTS: readonly DoctorFault[] = [
  {
    check: 'link',
    fault: 'another MTU',
    make: () => 'ip link set flannel.1 mtu 1200',
    cause: /the tunnel device flannel\.1 differs \(mtu 1200, should be 1450\)/,
    fix: /ip link set flannel\.1 mtu 1450/,
    repair: 'by hand',
  },
  {
    check: 'link',
    fault: 'another MAC than the lease tells',
    make: () => 'ip link set flannel.1 address 0a:00:00:00:00:98',
    reaches: false,
    cause: /differs \(mac 0a:00:00:00:00:98, should be/,
    fix: /by hand: ip link set flannel\.1 .*address/,
    // The kernel forgets the neighbours of a device that gets another MAC.
    also: ['neighbours'],
    repair: 'by hand',
  },
  {
    check: 'address',
    fault: 'address removed',
    make: () => 'ip addr flush dev flannel.1',
    cause: /lacks its address 10\.2\.\d+\.0\/32/,
    fix: /by hand: ip addr add 10\.2\.\d+\.0\/32 dev flannel\.1$/,
    // The kernel takes the routes of a device that loses its last address.
    also: ['neighbours', 'routes'],
    repair: 'by hand',
  },
  {
    check: 'routes',
    fault: 'route deleted',
    make: ({ peer }) => `ip route del ${peer.subnet}.0/24`,
    reaches: false,
    cause: /there is no route to 10\.2\.\d+\.0\/24: its containers are unreachable/,
    fix: /start flanneld; by hand: ip route replace 10\.2\.\d+\.0\/24 via 10\.2\.\d+\.0 dev flannel\.1 proto 142 onlink$/,
    repair: 'by hand',
  },
  {
    check: 'routes',
    fault: 'route of somebody else in its place',
    make: ({ peer }) => `ip route del ${peer.subnet}.0/24
      ip route add ${peer.subnet}.0/24 via 192.168.19.120 dev enp0s3 proto static`,
    reaches: false,
    cause: /a foreign object is in the place of a route for 10\.2\.\d+\.0\/24/,
    fix: /ip route del 10\.2\.\d+\.0\/24 via 192\.168\.19\.120 dev enp0s3 proto static$/,
    repair: ({ peer }, fix) => `${fix.replace(/^.*: /, '')}
      ip route add ${peer.subnet}.0/24 via ${peer.subnet}.0 dev flannel.1 proto 142 onlink`,
  },
  {
    check: 'routes',
    fault: 'route to a host that has gone',
    make: () => 'ip route add 10.2.250.0/24 via 10.2.250.0 dev flannel.1 proto 142 onlink',
    level: 'WARNING',
    cause: /a route is left from a host that is gone/,
    fix: /by hand: ip route del 10\.2\.250\.0\/24/,
    repair: 'by hand',
  },
  {
    check: 'neighbours',
    fault: 'neighbour deleted',
    make: ({ peer }) => `ip neigh del ${peer.subnet}.0 dev flannel.1`,
    reaches: false,
    cause: /there is no neighbour entry for 10\.2\.\d+\.0\/24/,
    fix: /by hand: ip neigh replace 10\.2\.\d+\.0 lladdr/,
    repair: 'by hand',
  },
  {
    check: 'neighbours',
    fault: 'neighbour with a wrong MAC',
    make: ({ peer }) => `ip neigh replace ${peer.subnet}.0 lladdr 0a:00:00:00:00:99 nud permanent dev flannel.1`,
    reaches: false,
    cause: /there is a wrong neighbour entry for 10\.2\.\d+\.0\/24/,
    fix: /by hand: ip neigh replace/,
    proof: /there is 10\.2\.\d+\.0 dev flannel\.1 lladdr 0a:00:00:00:00:99/,
    repair: 'by hand',
  },
  {
    check: 'fdb',
    fault: 'forwarding entry deleted',
    make: async ({ own, peer }) =>
      own.host.run(`bridge fdb del ${await macOf(peer)} dev flannel.1 dst ${peer.host.address}`),
    reaches: false,
    cause: /there is no forwarding entry for 10\.2\.\d+\.0\/24: its packets go nowhere/,
    fix: /by hand: bridge fdb replace .* dev flannel\.1 dst 192\.168\.19\.122 self permanent$/,
    repair: 'by hand',
  },
  {
    check: 'fdb',
    fault: 'forwarding entry to another host',
    make: async ({ own, peer }) =>
      own.host.run(`bridge fdb replace ${await macOf(peer)} dev flannel.1 dst 192.168.19.120 self permanent`),
    reaches: false,
    cause: /there is a wrong forwarding entry for 10\.2\.\d+\.0\/24: its packets go to another host/,
    fix: /by hand: bridge fdb replace/,
    repair: 'by hand',
  },
  {
    check: 'firewall',
    fault: 'a rule ahead of ours',
    make: () => 'iptables -I FORWARD 1 -j DROP',
    reaches: false,
    cause: /our rules are not in their places/,
    fix: /start flanneld, which restores them/,
    proof: /-I FORWARD 1 /,
    repair: () => 'iptables -D FORWARD -j DROP',
  },
  {
    check: 'firewall',
    fault: 'our rules gone where the policy is to drop',
    make: () => 'iptables-save >/run/rules; iptables -P FORWARD DROP; iptables -F FORWARD',
    reaches: false,
    cause: /our rules are not in their places|our rules are missing/,
    fix: /start flanneld/,
    repair: () => 'iptables-restore </run/rules',
  },
  {
    check: 'guard',
    fault: 'a peer that is not let in',
    make: ({ peer }) => `nft delete element inet flannel-guard-1 peers4 '{ ${peer.host.address} }'`,
    reaches: false,
    cause: /the guard shuts out peer 10\.2\.\d+\.0\/24: nothing of it arrives/,
    // To the probes it is as if the port were blocked.
    also: ['udp-port'],
    fix: /by hand: nft add element inet flannel-guard-1 peers4 '\{ 192\.168\.19\.122 \}'$/,
    repair: 'by hand',
  },
  {
    check: 'guard',
    fault: 'no guard',
    make: () => 'nft list table inet flannel-guard-1 >/run/guard; nft delete table inet flannel-guard-1',
    cause: /there is no guard: anybody can send into the network/,
    fix: /start flanneld/,
    repair: () => 'nft -f /run/guard',
  },
  {
    check: 'subnet-env',
    fault: 'no subnet.env',
    make: () => 'mv /run/flannel/subnet.env /run/saved.env',
    cause: /subnet\.env is missing/,
    fix: /systemctl restart flanneld/,
    repair: () => 'mv /run/saved.env /run/flannel/subnet.env',
  },
  {
    check: 'subnet-env',
    fault: 'an old MTU in it',
    make: () => 'cp /run/flannel/subnet.env /run/saved.env; sed -i s/1450/1472/ /run/flannel/subnet.env',
    cause: /subnet\.env has another mtu than leased/,
    fix: /restart dockerd/,
    proof: /mtu 1472, leased 1450/,
    repair: () => 'mv /run/saved.env /run/flannel/subnet.env',
  },
  {
    check: 'lease',
    fault: 'a lease that tells something else',
    make: async (hosts) => {
      const { etcd } = hosts.cluster
      await etcd.run(`etcdctl get --print-value-only ${key(hosts)} >/run/lease
        sed s/192.168.19.121/192.168.19.99/ /run/lease | etcdctl put --ignore-lease ${key(hosts)}`)
    },
    cause: /our lease does not match this host/,
    // So the peer's answers go elsewhere.
    also: ['udp-port'],
    fix: /systemctl restart flanneld/,
    proof: /192\.168\.19\.99.*192\.168\.19\.121/,
    repair: (hosts) => hosts.cluster.etcd.run(`etcdctl put --ignore-lease ${key(hosts)} </run/lease`),
  },
]

const hosts = doctorFaultTests(
  {},
  FAULTS.map((fault) => ({ ...fault, also: ['daemon', ...(fault.also ?? [])], args: ARGS })),
  ({ own }) => own.daemon.stop('SIGKILL'),
)

test.serial('doctor: daemon: none runs: status 3, and what only a daemon knows is not checked', async (t) => {
  const { text, code, findings, unchecked } = await runDoctor(hosts().own.host, ARGS)
  t.regex(text, /^not running /)
  t.is(code, 3)
  t.deepEqual(
    findings.map(({ check }) => check),
    ['daemon'],
  )
  t.regex(findings[0]?.cause ?? '', /no daemon runs here/)
  t.regex(findings[0]?.fix ?? '', /^systemctl start flanneld/)
  t.deepEqual(unchecked, ['etcd-tls', 'etcd-watch'])
})

test.serial('doctor: modules: a kernel without vxlan', async (t) => {
  const { findings } = await runDoctor(hosts().own.host, ARGS, preloaded(t, 'no-vxlan'))
  const found = findings.find(({ check }) => check === 'modules')
  t.regex(found?.cause ?? '', /the kernel has no VXLAN: the tunnel device cannot be created/)
  t.regex(found?.fix ?? '', /^modprobe vxlan/)
})

test.serial('doctor: lease: gone from etcd', async (t) => {
  const { own, cluster } = hosts()
  await cluster.etcd.etcdctl(`del ${key(hosts())}`)
  const { findings, unchecked } = await runDoctor(own.host, ARGS)
  const found = findings.find(({ check }) => check === 'lease')
  t.regex(found?.cause ?? '', /this host has no lease, but uses 10\.2\.\d+\.0\/24: no peer sends it anything/)
  t.regex(found?.fix ?? '', /^systemctl restart flanneld/)
  t.true(unchecked.includes('routes'), 'what depends on it is not called ok')
})

test.serial('doctor: daemon: one that hangs, and link: deleted meanwhile', async (t) => {
  const { own } = hosts()
  const daemon = await startFlanneld(own.host, ARGS)
  await waitForSubnetEnv(own.host, daemon)
  await daemon.line(/ ready: /)
  daemon.kill('SIGSTOP')
  await own.host.run('ip link del flannel.1')
  const { text, code, findings } = await runDoctor(own.host, ARGS)
  daemon.kill('SIGCONT')
  t.is(code, 2, text)
  t.deepEqual(
    findings.map(({ check }) => check),
    ['daemon', 'link', 'address', 'routes', 'neighbours', 'fdb'],
  )
  t.regex(findings[0]?.cause ?? '', /the daemon hangs or is stopped/)
  t.regex(findings[0]?.fix ?? '', /^systemctl restart flanneld/)
  t.regex(findings[1]?.cause ?? '', /the tunnel device flannel\.1 is missing: no packet enters or leaves the tunnel/)
  t.regex(findings[1]?.fix ?? '', /^restart flanneld$/)
})
