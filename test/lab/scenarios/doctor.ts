// `flanneld doctor` asked on a host, its text taken apart, and faults made for it one after another on one lab.
import test, { type ExecutionContext } from 'ava'
import { type Cluster, type ClusterOptions, type Node, createCluster } from './cluster.ts'
import { BUNDLE } from '../actors/flanneld.ts'
import { fileOwner } from '../world/file-owner.ts'
import type { Owner, Place } from '../world/space.ts'

/** A finding as printed. */
export interface PrintedFinding {
  readonly level: 'FAULT' | 'WARNING' | 'NOTE'
  readonly check: string
  readonly cause: string
  readonly fix: string
  readonly proof: string
}

/** What doctor printed. */
export interface DoctorReport {
  readonly text: string
  readonly code: number
  readonly findings: readonly PrintedFinding[]
  /** Names of checks not made. */
  readonly unchecked: readonly string[]
}

/** Runs it as an operator would. */
export async function runDoctor(host: Place, args = '', program = BUNDLE): Promise<DoctorReport> {
  const printed = await host.run(`${program} doctor ${args} 2>&1; echo "exit $?"`)
  const end = printed.lastIndexOf('exit ')
  const text = printed.slice(0, end)
  const found = text.matchAll(/^(FAULT|WARNING|NOTE) {2}(\S+): (.*)\n {2}fix {4}(.*)\n {2}seen {3}(.*)$/gm)
  return {
    text,
    code: Number(printed.slice(end + 5)),
    findings: Array.from(found, ([, level = '', check = '', cause = '', fix = '', proof = '']) => ({
      level: level as PrintedFinding['level'],
      check,
      cause,
      fix,
      proof,
    })),
    unchecked: Array.from(text.matchAll(/^not checked {2}(\S+)/gm), ([, name = '']) => name),
  }
}

/** Two hosts with a container each, doctor being asked on the first. */
export interface TwoHosts {
  readonly cluster: Cluster
  readonly own: Node
  readonly peer: Node
}

/** A fault and what doctor reports. */
export interface DoctorFault {
  readonly check: string
  readonly fault: string
  /** Makes it, by a shell script for the first host or otherwise. */
  readonly make: (hosts: TwoHosts) => string | Promise<unknown>
  readonly level?: PrintedFinding['level']
  readonly cause: RegExp
  readonly fix: RegExp
  readonly proof?: RegExp
  /** Other checks that find the same. */
  readonly also?: readonly string[]
  /** How it is repaired: by all the commands doctor gives for doing it by hand, by a script made of the fix, or otherwise. */
  readonly repair: 'by hand' | ((hosts: TwoHosts, fix: string) => string | Promise<unknown>)
  /** Whether the container reaches the peer's while it lasts; not asked when absent. */
  readonly reaches?: boolean
  readonly args?: string
}

/** Declares a test for each, one after another on the same two hosts. */
export function doctorFaultTests(
  options: ClusterOptions | ((owner: Owner) => Promise<Cluster>),
  faults: readonly DoctorFault[],
  prepare: (hosts: TwoHosts) => Promise<unknown> = () => Promise.resolve(),
): () => TwoHosts {
  const owner = fileOwner()
  let hosts: TwoHosts
  test.before(async () => {
    const cluster = await (typeof options === 'function' ? options(owner) : createCluster(owner, options))
    const [own, peer] = cluster.nodes as [Node, Node]
    hosts = { cluster, own, peer }
    await prepare(hosts)
  })
  for (const fault of faults) {
    test.serial(`doctor: ${fault.check}: ${fault.fault}`, (t) => findAndRepair(t, hosts, fault))
  }
  return () => hosts
}

async function findAndRepair(t: ExecutionContext, hosts: TwoHosts, fault: DoctorFault): Promise<void> {
  await carryOut(hosts, fault.make(hosts))
  if (fault.reaches !== undefined) t.is(await flows(hosts), fault.reaches, 'what it does to packets')
  const report = await runDoctor(hosts.own.host, fault.args)
  const found = report.findings.find((one) => one.check === fault.check)
  // First of all, so that a failure here is none of the tests to come.
  const repair = fault.repair === 'by hand' ? commandsIn(report.findings) : fault.repair(hosts, found?.fix ?? '')
  await carryOut(hosts, repair)
  assertReported(t, fault, report, found)
}

/** Runs a script on the first host, or waits for what has started. */
async function carryOut({ own }: TwoHosts, action: string | Promise<unknown>): Promise<void> {
  await (typeof action === 'string' ? own.host.run(action) : action)
}

/** The fault is reported as expected, and with it only what cannot but be found too. */
function assertReported(
  t: ExecutionContext,
  { check, level = 'FAULT', cause, fix, proof, also = [] }: DoctorFault,
  { text, code, findings }: DoctorReport,
  found: PrintedFinding | undefined,
): void {
  t.regex(found?.cause ?? text, cause)
  t.regex(found?.fix ?? '', fix)
  if (proof !== undefined) t.regex(found?.proof ?? '', proof)
  t.is(found?.level, level)
  t.deepEqual([...new Set(findings.map((one) => one.check))].toSorted(), [check, ...also].toSorted(), text)
  // What is no fault leaves the verdict as it is, which without a daemon is 3.
  const expected = findings.some((one) => one.level === 'FAULT') ? [1, 2, 3] : [0, 3]
  t.true(expected.includes(code), `${code}: ${text}`)
}

/** What is to be done by hand, a command a line. */
function commandsIn(findings: readonly PrintedFinding[]): string {
  return findings.map(({ fix }) => /by hand: (.*)$/.exec(fix)?.[1] ?? '').join('\n')
}

/** Whether one container's ping is answered by the other. */
async function flows({ own, peer }: TwoHosts): Promise<boolean> {
  const answer = await own.container.run(`ping -c 1 -W 1 ${peer.container.address} || true`)
  return answer.includes(' 0% packet loss')
}
