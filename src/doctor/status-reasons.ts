// What doctor's checks add to the verdict of `flanneld status`: what the daemon cannot know or does not look at. Pure.
import { type Reason, type Remark, type Verdict, summaryOf } from '../view/verdict.ts'
import type { Fault } from './finding.ts'
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

/** The command that tells more of a finding. */
const RUN = 'flanneld doctor'

/** The verdict with doctor's findings in it: faults as reasons, which make it worse, the rest as remarks, which do not. */
export function withFindings(verdict: Verdict, { checks }: DoctorReport): Verdict {
  if (verdict.word === 'not running') return verdict
  const told = new Set([...verdict.reasons, ...verdict.remarks].map(({ code }) => code))
  const found = checks
    .filter(({ name }) => UNTOLD.has(name))
    .flatMap(({ name, faults }) => faults.map((fault) => ({ name, ...fault })))
    .filter(({ code }) => code === undefined || !told.has(code))
  const faults = found.filter(({ level }) => level === 'fault')
  const reasons = [...verdict.reasons, ...faults.map(reasonOf)]
  const remarks = [...verdict.remarks, ...found.flatMap(remarkOf)]
  if (faults.length === 0) return { ...verdict, remarks }
  const broken = verdict.word === 'broken' || faults.some(({ stops }) => stops === true)
  const word = broken ? ({ word: 'broken', code: 2 } as const) : ({ word: 'degraded', code: 1 } as const)
  return { ...word, summary: summaryOf(reasons), reasons, remarks }
}

function reasonOf({ name, cause }: Fault & { readonly name: string }): Reason {
  return { code: name, gist: UNTOLD.get(name) ?? name, text: cause, run: RUN }
}

function remarkOf({ name, level, cause }: Fault & { readonly name: string }): readonly Remark[] {
  return level === 'fault' ? [] : [{ code: name, level, text: cause, run: RUN }]
}
