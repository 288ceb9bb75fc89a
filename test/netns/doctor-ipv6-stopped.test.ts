// doctor where the daemon of a host with both families was killed: it plans both, what carries IPv6 is damaged by hand, one thing at a
// time, and the command it gives for doing it by hand is run. IPv4 goes on.
import { IPV6 } from '../lab/scenarios/cluster.ts'
import { type DoctorFault, type TwoHosts, doctorFaultTests, runDoctor } from '../lab/scenarios/doctor.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'

/** The peer's IPv6 subnet, "fd00:10:2:7::". */
const subnetOf = ({ peer }: TwoHosts): string => (peer.env['FLANNEL_IPV6_SUBNET'] ?? '').replace('1/64', '')

/** Of every fault here the daemon's absence is one more. */
const FAULTS: readonly DoctorFault[] = [
  {
    check: 'link',
    fault: 'the IPv6 device with another MTU',
    make: () => 'ip link set flannel-v6.1 mtu 1300',
    cause: /the tunnel device flannel-v6\.1 differs \(mtu 1300, should be 1430\)/,
    fix: /by hand: ip link set flannel-v6\.1 mtu 1430/,
    repair: 'by hand',
  },
  {
    check: 'routes',
    fault: 'the IPv6 route deleted',
    make: (hosts) => `ip -6 route del ${subnetOf(hosts)}/64`,
    cause: /there is no route to fd00:10:2:\w+::\/64: its containers are unreachable/,
    fix: /by hand: ip route replace fd00:10:2:\w+::\/64 via fd00:10:2:\w+:: dev flannel-v6\.1/,
    repair: 'by hand',
  },
  {
    check: 'neighbours',
    fault: 'the IPv6 neighbour deleted',
    make: (hosts) => `ip -6 neigh del ${subnetOf(hosts)} dev flannel-v6.1`,
    cause: /there is no neighbour entry for fd00:10:2:\w+::\/64/,
    fix: /by hand: ip neigh replace fd00:10:2:\w+:: lladdr/,
    repair: 'by hand',
  },
  {
    check: 'fdb',
    fault: 'the forwarding entry of the IPv6 device deleted',
    make: ({ own }) =>
      own.host.run(
        'bridge fdb show dev flannel-v6.1 | grep dst | while read mac _; do bridge fdb del $mac dev flannel-v6.1 dst fd00:19::7a; done',
      ),
    cause: /there is no forwarding entry for fd00:10:2:\w+::\/64: its packets go nowhere/,
    fix: /by hand: bridge fdb replace .* dev flannel-v6\.1 dst fd00:19::7a self permanent$/,
    repair: 'by hand',
  },
  {
    check: 'firewall',
    fault: 'our rules gone from ip6tables',
    make: () => 'ip6tables-save >/run/rules6; ip6tables -F FORWARD',
    cause: /our rules for IPv6 are (missing|not in their places)/,
    fix: /start flanneld, which restores them/,
    proof: /in ip6tables/,
    repair: () => 'ip6tables-restore </run/rules6',
  },
  {
    check: 'guard',
    fault: 'a peer whose IPv6 address is not let in',
    make: ({ peer }) => `nft delete element inet flannel-guard-1 peers6 '{ ${peer.host.address6} }'`,
    cause: /the guard shuts out peer fd00:10:2:\w+::\/64: nothing of it arrives/,
    // To the probes it is as if the port were blocked.
    also: ['udp-port'],
    fix: /by hand: nft add element inet flannel-guard-1 peers6 '\{ fd00:19::7a \}'$/,
    repair: 'by hand',
  },
  {
    check: 'subnet-env',
    fault: 'a file of one family only',
    make: () => 'cp /run/flannel/subnet.env /run/saved.env; sed -i /IPV6/d /run/flannel/subnet.env',
    cause: /subnet\.env has another IPv6 network than leased/,
    fix: /restart flanneld/,
    proof: /IPv6 network missing, leased fd00:10:2::\/48/,
    repair: () => 'mv /run/saved.env /run/flannel/subnet.env',
  },
  {
    check: 'ip-forward',
    fault: 'IPv6 disabled on the IPv6 device, which takes its address and routes',
    make: async ({ own }) => {
      await own.host.run('sysctl -q -w net.ipv6.conf.flannel-v6/1.disable_ipv6=1')
    },
    cause: /IPv6 is disabled on flannel-v6\.1/,
    fix: /sysctl -w net\.ipv6\.conf\.flannel-v6\/1\.disable_ipv6=0/,
    also: ['address', 'neighbours', 'routes'],
    repair: async ({ own }, fix) => {
      await own.host.run(fix.split(',')[0] ?? '')
    },
  },
]

doctorFaultTests(
  { keys: IPV6 },
  FAULTS.map((fault) => ({ ...fault, also: ['daemon', ...(fault.also ?? [])], args: ARGS, reaches: true })),
  async ({ own, peer }) => {
    await waitFor('IPv6', async () =>
      (await own.container.run(`ping -c 1 -W 1 ${peer.container.address6} || true`)).includes(' 0% packet loss'),
    )
    await own.daemon.stop('SIGKILL')
    const { findings, text } = await runDoctor(own.host, ARGS)
    if (findings.length !== 1) throw new Error(text)
  },
)
