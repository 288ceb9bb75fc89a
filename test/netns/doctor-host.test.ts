// Each of doctor's checks of a host whose daemon runs: the fault is made for real, cause and fix are read in the output, and
// where the fix is a command that command is run.
import { askHttp, serveHttp } from '../lab/instruments/reach.ts'
import { createContainer } from '../lab/world/container.ts'
import { doctorFaultTests } from '../lab/scenarios/doctor.ts'
import { networkWith } from '../lab/scenarios/cluster.ts'
import { PREFIX } from '../lab/world/network.ts'

const LEASE = (address: string): string =>
  JSON.stringify({ PublicIP: address, BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:77' } })

// The daemon's probes see a fault, and that it is over, seconds later; without them doctor asks the peer itself, at once.
doctorFaultTests({ args: '-probe-interval=0' }, [
  {
    check: 'ip-forward',
    fault: 'forwarding switched off',
    make: () => 'sysctl -q -w net.ipv4.ip_forward=0',
    reaches: false,
    cause: /does not forward packets: containers cannot reach other hosts/,
    fix: /^sysctl -w net\.ipv4\.ip_forward=1/,
    proof: /ip_forward = 0/,
    repair: (_, fix) => fix.split(',')[0] ?? '',
  },
  {
    check: 'ip-forward',
    fault: 'forwarding switched off on the tunnel alone',
    make: () => 'sysctl -q -w net.ipv4.conf.flannel/1.forwarding=0',
    reaches: false,
    cause: /does not forward what arrives on flannel\.1/,
    fix: /^sysctl -w net\.ipv4\.conf\.flannel\/1\.forwarding=1/,
    repair: (_, fix) => fix.split(',')[0] ?? '',
  },
  {
    check: 'br-netfilter',
    fault: 'a published port asked by a container of the same bridge, with netfilter off on bridges',
    make: async ({ own }) => {
      const asker = await createContainer(own.host, own.env, 3)
      await serveHttp(own.container)
      await own.host.run(
        `iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination ${own.container.address}:5000`,
      )
      const published = [`${own.host.address} 8080`]
      if ((await askHttp(asker, published))[0] === undefined) throw new Error('with netfilter on bridges it is reached')
      await own.host.run('sysctl -q -w net.bridge.bridge-nf-call-iptables=0')
      if ((await askHttp(asker, published))[0] !== undefined) throw new Error('without it is not reached')
    },
    level: 'WARNING',
    cause: /cannot reach ports that containers of this host publish/,
    fix: /sysctl -w net\.bridge\.bridge-nf-call-iptables=1/,
    proof: /bridge-nf-call-iptables = 0.*DNAT --to-destination/,
    repair: () => 'sysctl -q -w net.bridge.bridge-nf-call-iptables=1; iptables -t nat -F PREROUTING',
  },
  {
    check: 'overlap',
    fault: 'an address of another network inside Network',
    make: () => 'ip addr add 10.2.200.9/20 dev enp0s3 noprefixroute',
    cause: /Network: 10\.2\.0\.0\/16 overlaps 10\.2\.192\.0\/20 on enp0s3/,
    fix: /choose another Network.*or take that address off/,
    repair: () => 'ip addr del 10.2.200.9/20 dev enp0s3',
  },
  {
    check: 'overlap',
    fault: 'a foreign route to half of a peer',
    make: ({ peer }) => `ip route add ${peer.subnet}.0/25 via 192.168.19.120 dev enp0s3`,
    reaches: false,
    also: ['udp-port'],
    cause: /a foreign route takes packets for peer 10\.2\.\d+\.0\/24 elsewhere/,
    fix: /ip route del 10\.2\.\d+\.0\/25 via 192\.168\.19\.120 dev enp0s3$/,
    repair: (_, fix) => fix.replace(/^.*: /, ''),
  },
  {
    check: 'docker0',
    fault: 'a bridge with another MTU',
    make: () => 'ip link set docker0 mtu 1500; ip link set v2 mtu 1500; ip link set docker0 mtu 1500',
    cause: /docker0 is not as leased: large packets of its containers are lost/,
    fix: /run flanneld docker-opts and restart dockerd/,
    proof: /mtu 1500, leased is 1450/,
    repair: () => 'ip link set v2 mtu 1450; ip link set docker0 mtu 1450',
  },
  {
    check: 'docker0',
    fault: 'a bridge with an older subnet',
    make: ({ own }) => `ip addr del ${own.subnet}.1/24 dev docker0; ip addr add 10.2.99.1/24 dev docker0`,
    reaches: false,
    cause: /docker0 is not as leased: peers do not reach its containers/,
    fix: /run flanneld docker-opts and restart dockerd/,
    proof: /has 10\.2\.99\.1\/24/,
    repair: ({ own }) => `ip addr del 10.2.99.1/24 dev docker0; ip addr add ${own.subnet}.1/24 brd + dev docker0`,
  },
  {
    check: 'firewall',
    fault: 'a table of somebody else that drops what is forwarded',
    make: () => `nft add table inet wall
      nft 'add chain inet wall forward { type filter hook forward priority 10; policy drop; }'`,
    reaches: false,
    cause: /another table drops forwarded packets.*our accept does not override it/,
    fix: /^nft insert rule inet wall forward ip saddr 10\.2\.0\.0\/16 accept; nft insert rule inet wall forward ip daddr/,
    proof: /nft chain inet wall forward: policy drop/,
    repair: async ({ own, peer }, fix) => {
      await own.host.run(fix.replace(/; and the same.*/, ''))
      await own.container.run(`ping -c 1 -W 2 ${peer.container.address}`)
      await own.host.run('nft delete table inet wall')
    },
  },
  {
    check: 'config',
    fault: 'a config that makes no sense',
    make: ({ cluster }) =>
      cluster.etcd.configure({ Network: '10.2.0.0/16', SubnetLen: 40, Backend: { Type: 'vxlan' } }),
    cause: /SubnetLen/,
    fix: /flanneld config check FILE/,
    repair: ({ cluster }) => cluster.etcd.configure(networkWith({})),
  },
  {
    check: 'config',
    fault: 'no config',
    make: ({ cluster }) => cluster.etcd.etcdctl(`del ${PREFIX}/config`),
    cause: /there is no network config/,
    fix: /^etcdctl put \/docker-test\/network\/config/,
    repair: ({ cluster }) => cluster.etcd.configure(networkWith({})),
  },
  {
    check: 'config',
    fault: 'a config that a running daemon cannot go over to',
    make: ({ cluster }) =>
      cluster.etcd.configure({ Network: '10.9.0.0/16', SubnetLen: 24, Backend: { Type: 'vxlan' } }),
    cause: /the daemon keeps its old config/,
    fix: /^etcdctl put \/docker-test\/network\/config '\{"Network":"10\.2\.0\.0\/16"/,
    repair: ({ cluster }, fix) => cluster.etcd.run(fix.replace(/, or stop all.*/, '')),
  },
  {
    check: 'peer-leases',
    fault: 'a lease nobody can read',
    make: ({ cluster }) => cluster.etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.77.0-24 '{"PublicIP":"nonsense"}'`),
    level: 'WARNING',
    cause: /a lease is refused \(public-ip\): nothing is sent to its host/,
    fix: /etcdctl del '\/docker-test\/network\/subnets\/10\.2\.77\.0-24'$/,
    repair: ({ cluster }, fix) => cluster.etcd.run(fix.replace(/^.*: /, '')),
  },
  {
    check: 'duplicate-ip',
    fault: 'two leases of one host',
    make: ({ cluster, peer }) =>
      cluster.etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.77.0-24 '${LEASE(peer.host.address)}'`),
    level: 'WARNING',
    cause: /2 subnets are leased to 192\.168\.19\.122/,
    fix: /give each host its own -public-ip.*etcdctl del '/,
    also: ['udp-port'],
    repair: ({ cluster }) => cluster.etcd.etcdctl(`del ${PREFIX}/subnets/10.2.77.0-24`),
  },
  {
    check: 'duplicate-ip',
    fault: 'another lease for our own address',
    make: ({ cluster, own }) =>
      cluster.etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.78.0-24 '${LEASE(own.host.address)}'`),
    cause: /2 subnets are leased to 192\.168\.19\.121/,
    fix: /etcdctl del '\/docker-test\/network\/subnets\/10\.2\.78\.0-24'$/,
    also: ['peer-leases'],
    repair: ({ cluster }, fix) => cluster.etcd.run(fix.replace(/^.*: /, '')),
  },
])
