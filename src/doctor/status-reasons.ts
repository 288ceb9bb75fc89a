// What doctor's checks add to the verdict of `flanneld status`: what the daemon cannot know or does not look at. Pure.
import type { Reason, Verdict } from '../verdict.ts'
import type { DoctorReport } from './report.ts'

/** Checks whose findings the daemon does not tell by itself, each with its words for the first line. */
const UNTOLD: ReadonlyMap<string, string> = new Map([
  ['config', 'network config not as stored'],
  ['etcd-watch', 'behind etcd'],
  ['lease', 'lease not as it should be'],
  ['clock', 'clock is off'],
  ['etcd-tls', 'TLS in trouble'],
  ['peer-leases', 'leases refused'],
  ['duplicate-ip', 'an address twice'],
  ['subnet-env', 'subnet.env not as leased'],
  ['modules', 'no VXLAN'],
  ['ip-forward', 'not forwarding'],
  ['rp-filter', 'reverse path filter'],
  ['br-netfilter', 'bridge netfilter'],
  ['overlap', 'networks overlap'],
  ['firewall', 'firewall in the way'],
  ['guard', 'guard not as it should be'],
  ['checksum', 'wrong checksums'],
])

/** The verdict with doctor's findings in it; one of doctor's `bad` is broken, one of its warnings degraded. */
export function withFindings(verdict: Verdict, { checks }: DoctorReport): Verdict {
  if (verdict.word === 'not running') return verdict
  const found = checks.filter(({ name, faults }) => faults.length > 0 && UNTOLD.has(name) && !told(verdict, name))
  if (found.length === 0) return verdict
  const added = found.flatMap(({ name, faults }) =>
    faults.map(({ cause }): Reason => ({ gist: UNTOLD.get(name) ?? name, text: cause, run: 'flanneld doctor' })),
  )
  const reasons = [...verdict.reasons, ...added]
  const summary = [...new Set(reasons.map(({ gist }) => gist))].filter((gist) => gist !== '').slice(0, 2).join(', ') // prettier-ignore
  const bad = verdict.word === 'broken' || found.some(({ level }) => level === 'bad')
  const { remarks } = verdict
  return bad
    ? { word: 'broken', code: 2, summary, reasons, remarks }
    : { word: 'degraded', code: 1, summary, reasons, remarks }
}

/** Whether the daemon has told it by itself: of leases, rules and the guard it knows a part. */
function told({ reasons }: Verdict, name: string): boolean {
  const gists: Readonly<Record<string, RegExp>> = {
    lease: /^lease not renewed$/,
    'peer-leases': /refused$/,
    firewall: /^firewall rules missing$/,
    guard: /^no guard$/,
    'etcd-tls': /^certificate/,
  }
  return gists[name] !== undefined && reasons.some(({ gist }) => gists[name]?.test(gist))
}
