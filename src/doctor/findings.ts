// What checks found as findings of the verdict: only what the daemon does not report by itself. Pure.
import type { Finding } from '../view/verdict.ts'
import type { CheckReport } from './report.ts'

/** Checks whose faults the daemon does not report by itself, each with its words for the first line of the status. */
const GISTS: ReadonlyMap<string, string> = new Map([
  ['config', 'network config not as stored'],
  ['etcd-watch', 'behind etcd'],
  ['lease', 'lease differs'],
  ['clock', 'clock is off'],
  ['etcd-tls', 'TLS in trouble'],
  ['peer-leases', 'leases refused'],
  ['duplicate-ip', 'duplicate address'],
  ['subnet-env', 'subnet.env not as leased'],
  ['mtu', 'MTU too small'],
  ['modules', 'no VXLAN'],
  ['requirements', 'backend lacks something'],
  ['ip-forward', 'not forwarding'],
  ['rp-filter', 'reverse path filter'],
  ['br-netfilter', 'bridge netfilter'],
  ['overlap', 'networks overlap'],
  ['firewall', 'firewall in the way'],
  ['guard', 'guard incomplete'],
  ['checksum', 'wrong checksums'],
])

/** The command that shows more of a finding. */
const RUN = 'flanneld doctor'

/** The findings in the outcome of checks. */
export function findingsOf(checks: readonly Pick<CheckReport, 'name' | 'faults'>[]): readonly Finding[] {
  return checks.flatMap(({ name, faults }) => {
    const gist = GISTS.get(name)
    if (gist === undefined) return []
    return faults.map(({ level, stops, code, cause }) => ({
      code: name,
      level,
      stops: stops === true,
      same: code,
      gist,
      text: cause,
      run: RUN,
    }))
  })
}
