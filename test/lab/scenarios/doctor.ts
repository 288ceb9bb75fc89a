// `flanneld doctor` asked on a host, its text taken apart, and faults made for it one after another on one lab.
import test, { type ExecutionContext } from 'ava'
import { type Cluster, type ClusterOptions, type Node, createCluster } from './cluster.ts'
import { BUNDLE } from '../actors/flanneld.ts'
import type { Place } from '../world/space.ts'

/** A fault as printed. */
export interface PrintedFault {
  readonly level: 'FAULT' | 'WARNING' | 'NOTE'
  readonly check: string
  readonly cause: string
  readonly fix: string
  readonly proof: string
}

/** What doctor printed. */
export interface Consultation {
  readonly text: string
  readonly code: number
  readonly faults: readonly PrintedFault[]
  /** Names of checks not made. */
  readonly unchecked: readonly string[]
}

/** Runs it as an operator would. */
export async function consult(host: Place, args = '', program = BUNDLE): Promise<Consultation> {
  const printed = await host.run(`${program} doctor ${args} 2>&1; echo "exit $?"`)
  const end = printed.lastIndexOf('exit ')
  const text = printed.slice(0, end)
  const found = text.matchAll(/^(FAULT|WARNING|NOTE) {2}(\S+): (.*)\n {2}fix {4}(.*)\n {2}seen {3}(.*)$/gm)
  return {
    text,
    code: Number(printed.slice(end + 5)),
    faults: Array.from(found, ([, level = '', check = '', cause = '', fix = '', proof = '']) => ({
      level: level as PrintedFault['level'],
      ...{ check, cause, fix, proof },
    })),
    unchecked: Array.from(text.matchAll(/^not checked {2}(\S+)/gm), ([, name = '']) => name),
  }
}

/** Two hosts with a container each, doctor being asked on the first. */
export interface Ward {
  readonly cluster: Cluster
  readonly own: Node
  readonly peer: Node
}

/** A fault and what doctor has to say of it. */
export interface Ailment {
  readonly check: string
  readonly fault: string
  /** Makes it, by a shell script for the first host or otherwise. */
  readonly make: (ward: Ward) => string | Promise<unknown>
  readonly level?: PrintedFault['level']
  readonly cause: RegExp
  readonly fix: RegExp
  readonly proof?: RegExp
  /** Other checks that cannot but find the same. */
  readonly also?: readonly string[]
  /** How it is undone: by all the commands doctor gives for doing it by hand, by a script made of the fix, or otherwise. */
  readonly mend: 'by hand' | ((ward: Ward, fix: string) => string | Promise<unknown>)
  /** Whether the container reaches the peer's while it lasts; not looked at when absent. */
  readonly reaches?: boolean
  readonly args?: string
}

/** Who closes a lab in the end. */
type Owner = Parameters<typeof createCluster>[0]

/** Declares a test for each, one after another on the same two hosts. */
export function ailmentTests(
  options: ClusterOptions | ((owner: Owner) => Promise<Cluster>),
  ailments: readonly Ailment[],
  prepare: (ward: Ward) => Promise<unknown> = () => Promise.resolve(),
): () => Ward {
  const closings: (() => Promise<void>)[] = []
  let ward: Ward
  test.before(async () => {
    const owner: Owner = { teardown: (close) => void closings.push(close) }
    const cluster = await (typeof options === 'function' ? options(owner) : createCluster(owner, options))
    const [own, peer] = cluster.nodes as [Node, Node]
    ward = { cluster, own, peer }
    await prepare(ward)
  })
  test.after.always(async () => {
    for (const close of closings) await close()
  })
  for (const ailment of ailments) {
    test.serial(`doctor: ${ailment.check}: ${ailment.fault}`, (t) => findAndMend(t, ward, ailment))
  }
  return () => ward
}

async function findAndMend(t: ExecutionContext, ward: Ward, ailment: Ailment): Promise<void> {
  const { own } = ward
  const { check, level = 'FAULT', make, cause, fix, proof, also = [], mend, reaches, args = '' } = ailment
  const done = make(ward)
  await (typeof done === 'string' ? own.host.run(done) : done)
  if (reaches !== undefined) t.is(await flows(ward), reaches, 'what it does to packets')
  const { text, code, faults } = await consult(own.host, args)
  const found = faults.find((one) => one.check === check)
  // First of all, so that a failure here is none of the tests to come.
  const mending = mend === 'by hand' ? commandsIn(faults) : mend(ward, found?.fix ?? '')
  await (typeof mending === 'string' ? own.host.run(mending) : mending)
  t.regex(found?.cause ?? text, cause)
  t.regex(found?.fix ?? '', fix)
  if (proof !== undefined) t.regex(found?.proof ?? '', proof)
  t.is(found?.level, level)
  t.deepEqual([...new Set(faults.map((one) => one.check))].toSorted(), [check, ...also].toSorted(), text)
  // What is no fault leaves the verdict as it is, which without a daemon is 3.
  const expected = faults.some((one) => one.level === 'FAULT') ? [1, 2, 3] : [0, 3]
  t.true(expected.includes(code), `${code}: ${text}`)
}

/** What is to be done by hand, a command a line. */
function commandsIn(faults: readonly PrintedFault[]): string {
  return faults.map(({ fix }) => /by hand: (.*)$/.exec(fix)?.[1] ?? '').join('\n')
}

/** Whether one container's ping is answered by the other. */
async function flows({ own, peer }: Ward): Promise<boolean> {
  const answer = await own.container.run(`ping -c 1 -W 1 ${peer.container.address} || true`)
  return answer.includes(' 0% packet loss')
}
