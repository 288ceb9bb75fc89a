// The one table of the daemon's options: flag, variable, default, help text, kind of value.
// -help, the parser, the environment and the checks are all derived from it.
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
    doc: 'path of the network config and the leases in etcd',
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
    doc: 'client certificate for etcd, a PEM file',
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
    doc: 'password of -etcd-username; other users of this host can read flags, so prefer FLANNELD_ETCD_PASSWORD',
  },
  iface: {
    flag: 'iface',
    default: [],
    format: format.interfaces,
    repeatable: true,
    doc: 'interface (name or IP) for traffic between hosts; may be repeated, the first match is used',
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
    doc: 'use the interface through which the kernel reaches this IP; tried after -iface and -iface-regex',
  },
  publicIp: {
    flag: 'public-ip',
    default: undefined,
    format: format.hostAddress(4),
    doc: "address at which other hosts reach this one (default the interface's)",
  },
  publicIpv6: {
    flag: 'public-ipv6',
    default: undefined,
    format: format.hostAddress(6),
    doc: "IPv6 address at which other hosts reach this one (default the interface's)",
  },
  subnetFile: {
    flag: 'subnet-file',
    default: '/run/flannel/subnet.env',
    format: format.file,
    doc: 'file for the leased subnet and the MTU',
  },
  subnetLeaseRenewMargin: {
    flag: 'subnet-lease-renew-margin',
    default: 60,
    format: format.flagInteger(1, 1439),
    doc: 'renew the lease at the latest this long before its end, in minutes, 1 to 1439',
  },
  onSubnetConflict: {
    flag: 'on-subnet-conflict',
    own: true,
    default: 'new',
    format: format.oneOf(['new', 'wait']),
    doc: 'if another host takes our subnet: lease a new one, or wait until ours is free',
  },
  forceNetworkOverlap: {
    flag: 'force-network-overlap',
    own: true,
    default: false,
    format: format.flagBoolean,
    doc: 'start even though Network overlaps a network this host is connected to',
  },
  ipMasq: {
    flag: 'ip-masq',
    default: false,
    format: format.flagBoolean,
    doc: 'masquerade traffic that leaves the overlay network',
  },
  ipMasqFullyRandomDisable: {
    flag: 'ip-masq-fully-random-disable',
    default: false,
    format: format.flagBoolean,
    doc: 'masquerade without --random-fully',
  },
  iptablesForwardRules: {
    flag: 'iptables-forward-rules',
    default: true,
    format: format.flagBoolean,
    doc: "accept the overlay's traffic in the FORWARD chain",
  },
  iptablesResync: {
    flag: 'iptables-resync',
    default: 5,
    format: format.flagInteger(1, 86400),
    doc: 'how often the firewall rules are checked, in seconds',
  },
  ipBlackholeRoute: {
    flag: 'ip-blackhole-route',
    default: true,
    format: format.flagBoolean,
    doc: "add a blackhole route for the own subnet, so that packets to absent containers don't leave by the default route",
  },
  vxlanGuard: {
    flag: 'vxlan-guard',
    own: true,
    default: true,
    format: format.flagBoolean,
    doc: "let only peers' addresses send to the tunnel: VXLAN, ipip, udp",
  },
  vxlanGuardAllow: {
    flag: 'vxlan-guard-allow',
    own: true,
    default: [],
    format: format.prefixes,
    doc: 'further allowed senders to the tunnel, such as a NAT between hosts: comma-separated addresses and networks',
  },
  nexthopObjects: {
    flag: 'nexthop-objects',
    own: true,
    default: 'auto',
    format: format.oneOf(['auto', 'always', 'never']),
    doc: 'use nexthop objects for routes (kernel 5.3+); auto: from 500 peers on',
  },
  wireguardGo: {
    flag: 'wireguard-go',
    own: true,
    default: undefined,
    format: format.optionalFile,
    doc: 'path of wireguard-go, for backend wireguard on a kernel without it (Debian package wireguard-go: /usr/bin/wireguard-go)',
  },
  auditInterval: {
    flag: 'audit-interval',
    own: true,
    default: 10,
    format: format.flagInteger(1, 86400),
    doc: "how often the kernel's complete state is compared with the wanted state, in seconds",
  },
  probeInterval: {
    flag: 'probe-interval',
    own: true,
    default: 5,
    format: format.flagInteger(0, 3600),
    doc: 'how often up to 16 peers are probed by ICMP, in seconds, 0 to disable',
  },
  healthzIp: {
    flag: 'healthz-ip',
    default: '0.0.0.0' as Address,
    format: format.address,
    doc: 'address for /healthz, /readyz and /metrics; 0.0.0.0 for all addresses, including IPv6',
  },
  healthzPort: {
    flag: 'healthz-port',
    default: 0,
    format: format.flagInteger(0, 65535),
    doc: 'TCP port for them, 0 to disable',
  },
  healthzPage: {
    flag: 'healthz-page',
    own: true,
    default: false,
    format: format.flagBoolean,
    doc: 'also serve a live page at / of that port: this host, its peers, leases and repairs; anyone who reaches the port can read it',
  },
  healthzAllowedHosts: {
    flag: 'healthz-allowed-hosts',
    own: true,
    default: [],
    format: format.hostNames,
    repeatable: true,
    doc: 'further host names accepted on that port; .example.org: all names under it; *: any',
  },
  ...KUBERNETES,
  verbosity: {
    flag: 'v',
    default: 0,
    format: format.flagInteger(0, 2 ** 31 - 1),
    doc: 'log verbosity: 0 transitions, 1 details, 2 every pass',
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

/** Prefix of all variables. */
export const PREFIX = 'FLANNELD_'

/** The environment variable of a flag: `FLANNELD_ETCD_PREFIX` of `etcd-prefix`. */
export function variableOf(flag: string): string {
  return `${PREFIX}${flag.toUpperCase().replaceAll('-', '_')}`
}
