// The one table of what the daemon can be told: flag, variable, default, help text, kind of value.
// -help, the parser, the environment and the checks are all made from it.
import type { Address } from '../ip/address.ts'
import { endpoints } from './endpoints.ts'
import * as format from './format.ts'
import type { Row } from './format.ts'
import type { Options } from './type.ts'
import { KUBERNETES } from './kubernetes.ts'

/** The rows, in the order of the usage text. */
export const TABLE: { readonly [K in keyof Options]: Row<Options[K]> } = {
  etcdEndpoints: {
    flag: 'etcd-endpoints',
    default: ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
    format: endpoints,
    doc: 'comma-separated URLs of the etcd members',
  },
  etcdPrefix: {
    flag: 'etcd-prefix',
    default: '/coreos.com/network',
    format: format.keyPrefix,
    doc: 'path in etcd under which the network config and the leases are',
  },
  etcdKeyfile: {
    flag: 'etcd-keyfile',
    default: undefined,
    format: format.optional,
    doc: 'key of the client certificate, a PEM file',
  },
  etcdCertfile: {
    flag: 'etcd-certfile',
    default: undefined,
    format: format.optional,
    doc: 'client certificate shown to etcd, a PEM file',
  },
  etcdCafile: {
    flag: 'etcd-cafile',
    default: undefined,
    format: format.optional,
    doc: "authority that signs etcd's certificates, a PEM file",
  },
  etcdUsername: {
    flag: 'etcd-username',
    default: undefined,
    format: format.optional,
    doc: 'user name to log in to etcd with',
  },
  etcdPassword: {
    flag: 'etcd-password',
    default: undefined,
    format: format.optional,
    sensitive: true,
    doc: 'password of -etcd-username; other users of this host can read flags, so better given as FLANNELD_ETCD_PASSWORD',
  },
  iface: {
    flag: 'iface',
    default: [],
    format: format.interfaces,
    repeatable: true,
    doc: 'interface (name or IP) for traffic between hosts; may be repeated, the first that fits is taken',
  },
  ifaceRegex: {
    flag: 'iface-regex',
    default: [],
    format: format.regexes,
    repeatable: true,
    doc: 'regular expression on IP or name of that interface; may be repeated; tried after every -iface',
  },
  ifaceCanReach: {
    flag: 'iface-can-reach',
    default: undefined,
    format: format.optionalAddress,
    doc: 'take the interface by which the kernel would reach this IP; tried after -iface and -iface-regex',
  },
  publicIp: {
    flag: 'public-ip',
    default: undefined,
    format: format.hostAddress(4),
    doc: "address other hosts reach this one by (default the interface's)",
  },
  publicIpv6: {
    flag: 'public-ipv6',
    default: undefined,
    format: format.hostAddress(6),
    doc: "IPv6 address other hosts reach this one by (default the interface's)",
  },
  subnetFile: {
    flag: 'subnet-file',
    default: '/run/flannel/subnet.env',
    format: format.file,
    doc: 'file the leased subnet and the MTU are written to',
  },
  subnetLeaseRenewMargin: {
    flag: 'subnet-lease-renew-margin',
    default: 60,
    format: format.integer(1, 1439),
    doc: 'how long before its end the lease is renewed at the latest, in minutes, 1 to 1439',
  },
  onSubnetConflict: {
    flag: 'on-subnet-conflict',
    own: true,
    default: 'new',
    format: format.oneOf(['new', 'wait']),
    doc: 'when another host has taken our subnet: lease a new one, or wait until ours is free again',
  },
  forceNetworkOverlap: {
    flag: 'force-network-overlap',
    own: true,
    default: false,
    format: format.boolean,
    doc: 'start even though Network overlaps a network this host is connected to',
  },
  ipMasq: {
    flag: 'ip-masq',
    default: false,
    format: format.boolean,
    doc: 'masquerade traffic that leaves the overlay network',
  },
  ipMasqFullyRandomDisable: {
    flag: 'ip-masq-fully-random-disable',
    default: false,
    format: format.boolean,
    doc: 'masquerade without --random-fully',
  },
  iptablesForwardRules: {
    flag: 'iptables-forward-rules',
    default: true,
    format: format.boolean,
    doc: "accept the overlay's traffic in the FORWARD chain",
  },
  iptablesResync: {
    flag: 'iptables-resync',
    default: 5,
    format: format.integer(1, 86400),
    doc: 'how often the firewall rules are checked, in seconds',
  },
  ipBlackholeRoute: {
    flag: 'ip-blackhole-route',
    default: true,
    format: format.boolean,
    doc: "blackhole route for the own subnet, so that packets to absent containers don't leave by the default route",
  },
  vxlanGuard: {
    flag: 'vxlan-guard',
    own: true,
    default: true,
    format: format.boolean,
    doc: "let only peers' addresses send to the VXLAN port",
  },
  vxlanGuardAllow: {
    flag: 'vxlan-guard-allow',
    own: true,
    default: [],
    format: format.prefixes,
    doc: 'further senders to the VXLAN port: addresses and networks, separated by commas, say of a NAT between hosts',
  },
  nexthopObjects: {
    flag: 'nexthop-objects',
    own: true,
    default: 'auto',
    format: format.oneOf(['auto', 'always', 'never']),
    doc: 'routes through nexthop objects (kernel 5.3+); auto: from 500 peers on',
  },
  auditInterval: {
    flag: 'audit-interval',
    own: true,
    default: 10,
    format: format.integer(1, 86400),
    doc: "how often the kernel's whole state is compared with the wanted one, in seconds",
  },
  probeInterval: {
    flag: 'probe-interval',
    own: true,
    default: 5,
    format: format.integer(0, 3600),
    doc: 'how often up to 16 peers are probed by ICMP, in seconds, 0 for never',
  },
  healthzIp: {
    flag: 'healthz-ip',
    default: '0.0.0.0' as Address,
    format: format.address,
    doc: 'address to serve /healthz, /readyz and /metrics on; for 0.0.0.0 all addresses, those of IPv6 too',
  },
  healthzPort: {
    flag: 'healthz-port',
    default: 0,
    format: format.integer(0, 65535),
    doc: 'TCP port to serve them on, 0 for none',
  },
  healthzPage: {
    flag: 'healthz-page',
    own: true,
    default: false,
    format: format.boolean,
    doc: 'serve a page at / of that port too: this host, its peers, leases and repairs, live; anyone who reaches it can read it',
  },
  healthzAllowedHosts: {
    flag: 'healthz-allowed-hosts',
    own: true,
    default: [],
    format: format.hostNames,
    repeatable: true,
    doc: 'names this host is asked by at that port, beside its own and its addresses; .example.org: all names under it; *: any',
  },
  ...KUBERNETES,
  verbosity: {
    flag: 'v',
    default: 0,
    format: format.integer(0, 2 ** 31 - 1),
    doc: 'how much is logged: 0 transitions, 1 details, 2 every pass',
  },
  vmodule: {
    flag: 'vmodule',
    default: undefined,
    format: format.optional,
    unsupported: 'ignored',
    doc: 'log levels per file',
  },
  logBacktraceAt: {
    flag: 'log_backtrace_at',
    default: undefined,
    format: format.optional,
    unsupported: 'ignored',
    doc: 'file:line to log a stack trace at',
  },
}

/** A row under the name of its option. */
export type NamedRow = Row<unknown> & { readonly name: keyof Options }

/** All rows as a list, in order. */
export const ROWS: readonly NamedRow[] = Object.entries(TABLE).map(([name, row]) => ({
  ...row,
  name: name as keyof Options,
}))

/** What the names of all variables begin with. */
export const PREFIX = 'FLANNELD_'

/** The environment variable of a flag: `FLANNELD_ETCD_PREFIX` of `etcd-prefix`. */
export function variableOf(flag: string): string {
  return `${PREFIX}${flag.toUpperCase().replaceAll('-', '_')}`
}
