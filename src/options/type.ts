// The options as the rest of the daemon reads them: checked values, nothing left to parse.
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'

/** Everything the command line and the environment decide. */
export interface Options {
  /** `scheme://host:port` each. */
  readonly etcdEndpoints: readonly string[]
  /** Without trailing slash. */
  readonly etcdPrefix: string
  readonly etcdKeyfile: string | undefined
  readonly etcdCertfile: string | undefined
  readonly etcdCafile: string | undefined
  readonly etcdUsername: string | undefined
  /** Secret: must appear in no log. */
  readonly etcdPassword: string | undefined
  /** Names or addresses, in order of preference. */
  readonly iface: readonly string[]
  /** In Go's syntax, known to compile: read them with compileGoRegex. */
  readonly ifaceRegex: readonly string[]
  readonly ifaceCanReach: Address | undefined
  readonly publicIp: Address | undefined
  readonly publicIpv6: Address | undefined
  readonly subnetFile: string
  /** Minutes. */
  readonly subnetLeaseRenewMargin: number
  readonly onSubnetConflict: 'new' | 'wait'
  readonly forceNetworkOverlap: boolean
  readonly ipMasq: boolean
  readonly ipMasqFullyRandomDisable: boolean
  readonly iptablesForwardRules: boolean
  /** Seconds. */
  readonly iptablesResync: number
  readonly ipBlackholeRoute: boolean
  readonly vxlanGuard: boolean
  readonly vxlanGuardAllow: readonly Prefix[]
  readonly nexthopObjects: 'auto' | 'always' | 'never'
  /** The program that makes WireGuard devices in place of the kernel. */
  readonly wireguardGo: string | undefined
  /** Seconds. */
  readonly auditInterval: number
  /** Seconds; 0: off. */
  readonly probeInterval: number
  readonly healthzIp: Address
  /** 0: off. */
  readonly healthzPort: number
  readonly healthzPage: boolean
  /** In lower case; `.example.org` is every name under it, `*` any name. */
  readonly healthzAllowedHosts: readonly string[]
  readonly kubeSubnetMgr: boolean
  readonly kubeApiUrl: string | undefined
  readonly kubeAnnotationPrefix: string
  readonly kubeconfigFile: string | undefined
  readonly netConfigPath: string
  readonly setNodeNetworkUnavailable: boolean
  /** klog's -v. */
  readonly verbosity: number
  readonly vmodule: string | undefined
  readonly logBacktraceAt: string | undefined
}
