// Each of doctor's checks in IPv6 on a host with both families: the fault is made for real, IPv4 stays as it was, cause and fix
// are read in the output, and where the fix is a command that command is run.
import { type TwoHosts, doctorFaultTests } from '../lab/scenarios/doctor.ts'
import { IPV6 } from '../lab/scenarios/cluster.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** Waits until the container's ping in IPv6 is answered, or not. */
async function reaches({ own, peer }: TwoHosts, wanted: boolean): Promise<void> {
  await waitFor(`IPv6 to be ${wanted ? 'answered' : 'lost'}`, async () => {
    const printed = await own.container.run(`ping -c 1 -W 1 ${peer.container.address6} || true`)
    return printed.includes(' 0% packet loss') === wanted
  })
}

/** A script on the first host that breaks IPv6. */
async function breaks(hosts: TwoHosts, script: string): Promise<void> {
  await hosts.own.host.run(script)
  await reaches(hosts, false)
}

// The daemon's probes see a fault, and that it is over, seconds later; without them doctor asks the peer itself, at once.
doctorFaultTests(
  { keys: IPV6, args: '-probe-interval=0' },
  [
    {
      check: 'ip-forward',
      fault: 'forwarding of IPv6 switched off',
      make: (hosts) => breaks(hosts, 'sysctl -q -w net.ipv6.conf.all.forwarding=0'),
      reaches: true,
      cause: /does not forward IPv6 packets: containers cannot reach other hosts/,
      fix: /^sysctl -w net\.ipv6\.conf\.all\.forwarding=1/,
      proof: /net\.ipv6\.conf\.all\.forwarding = 0/,
      repair: async (hosts, fix) => {
        await hosts.own.host.run(fix.split(',')[0] ?? '')
        await reaches(hosts, true)
      },
    },
    {
      check: 'ip-forward',
      fault: 'a default route from router advertisements, which forwarding takes away',
      make: () =>
        `sysctl -q -w net.ipv6.conf.enp0s3.accept_ra=1
         ip -6 route add default via fe80::1 dev enp0s3 proto ra metric 1024`,
      level: 'WARNING',
      cause: /forwards IPv6, so it ignores router advertisements on enp0s3: the default route from them goes/,
      fix: /^sysctl -w net\.ipv6\.conf\.enp0s3\.accept_ra=2/,
      proof: /accept_ra = 1, forwarding = 1/,
      repair: (_, fix) => `${fix.split(',')[0] ?? ''}; ip -6 route del default`,
    },
    {
      check: 'firewall',
      fault: 'a foreign table drops what is forwarded in IPv6',
      make: (hosts) =>
        breaks(
          hosts,
          `nft add table ip6 mine
           nft add chain ip6 mine f '{ type filter hook forward priority 10; policy drop; }'`,
        ),
      reaches: true,
      cause: /another table drops forwarded packets for IPv6/,
      fix: /nft insert rule ip6 mine f ip6 saddr fd00:10:2::\/48 accept/,
      proof: /chain ip6 mine f: policy drop/,
      repair: async (hosts) => {
        await hosts.own.host.run('nft delete table ip6 mine')
        await reaches(hosts, true)
      },
    },
    {
      check: 'udp-port',
      fault: "a rule of this host drops the IPv6 tunnel's packets",
      make: (hosts) => breaks(hosts, 'ip6tables -I INPUT -p udp --dport 8472 -j DROP'),
      reaches: true,
      also: [],
      cause: /a firewall rule of this host drops UDP 8472/,
      fix: /^ip6tables -t filter -D INPUT -p udp -m udp --dport 8472 -j DROP/,
      repair: async (hosts, fix) => {
        await hosts.own.host.run(fix)
        await reaches(hosts, true)
      },
    },
    {
      check: 'docker0',
      fault: 'without IPv6',
      make: ({ own }) => `ip -6 addr del ${own.env['FLANNEL_IPV6_SUBNET'] ?? ''} dev docker0`,
      level: 'WARNING',
      cause: /docker0 has no IPv6: its containers have no address of fd00:10:2:/,
      fix: /flanneld docker-opts/,
      repair: ({ own }) => `ip -6 addr add ${own.env['FLANNEL_IPV6_SUBNET'] ?? ''} dev docker0 nodad`,
    },
    {
      check: 'peers',
      fault: 'the other host without its IPv6 address',
      make: ({ peer }) => peer.host.run('ip6tables -I INPUT -j DROP'),
      reaches: true,
      cause: /peer fd00:10:2:\w+::\/64: neither its tunnel nor its host answers/,
      fix: /ip route get fd00:19::7a/,
      repair: async (hosts) => {
        await hosts.peer.host.run('ip6tables -D INPUT -j DROP')
        await reaches(hosts, true)
      },
    },
  ],
  (hosts) => reaches(hosts, true),
)
