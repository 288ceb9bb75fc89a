// Notes and warnings are reported and leave the verdict unchanged; only a fault changes it.
import type { Status } from '../../src/view/status-shape.ts'
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { Conditions } from '../../src/health/conditions.ts'
import { reportRefused, reportRemarks, clearRefused } from '../../src/network-config/remarks.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { CHECKS } from '../../src/doctor/checks.ts'
import type { Facts } from '../../src/doctor/facts.ts'
import type { Fault } from '../../src/doctor/finding.ts'
import { makeReport, renderReport } from '../../src/doctor/report.ts'
import { findingsOf } from '../../src/doctor/findings.ts'
import { LeaseStats, REASONS } from '../../src/lease/stats.ts'
import { refusalLevel } from '../../src/lease/refusal-level.ts'
import { isTrouble } from '../../src/view/peers.ts'
import { RefusedLeases } from '../../src/daemon/refused-leases.ts'
import { type Finding, type Verdict, verdictOf, withFindings } from '../../src/view/verdict.ts'
import { OWN, PEER, answering, faults, lease, factsWith } from '../fake/doctor-facts.ts'
import { NOW, peerWith, statusWith } from '../fake/status.ts'
import { linesTo } from '../lab/actors/lease-holder.ts'

/** Configs that are good, with what is to be said of each, and its level. */
const REMARKED: readonly (readonly [string, Fault['level'], RegExp])[] = [
  ['{"Network":"10.2.0.0/16"}', 'note', /Backend: not given, taking vxlan/],
  ['{"Network":"10.2.3.4/16","Backend":{"Type":"vxlan"}}', 'note', /host bits are set/],
  ['{"Network":"10.2.0.0/16","IPv6Network":"fd00::/48","Backend":{"Type":"vxlan"}}', 'note', /no effect/],
  ['{"Network":"10.2.0.0/16","Colour":1,"Backend":{"Type":"vxlan"}}', 'warning', /Colour: unknown key/],
  ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","prot":1}}', 'warning', /prot: unknown key/],
  ['{"Network":"10.2.0.0/16","network":"10.2.0.0/16","Backend":{"Type":"vxlan"}}', 'warning', /the last one counts/],
]

/** A host in health whose stored config is this one; its daemon runs under it. */
function withConfig(config: string): Facts {
  const facts = factsWith()
  const content = facts.store.content && { ...facts.store.content, config }
  const daemon = answering(facts)
  if (daemon.state !== 'answers') throw new Error('it answers')
  const running = daemon.facts.running && { ...daemon.facts.running, config }
  return { ...facts, store: { ...facts.store, content }, daemon: { ...daemon, facts: { ...daemon.facts, running } } }
}

for (const [config, level, text] of REMARKED) {
  test(`${config}: a ${level}, and the host is healthy for doctor and status`, (t) => {
    const facts = withConfig(config)
    t.deepEqual(
      faults('config', facts).map((fault) => fault.level),
      [level],
    )
    const report = makeReport(CHECKS, facts)
    t.deepEqual([report.verdict, report.code], ['healthy', 0], renderReport(report, false))
    t.regex(renderReport(report, false), new RegExp(`^${level.toUpperCase()} {2}config: .*${text.source}`, 'm'))

    // The daemon reports it itself, once; doctor does not repeat it.
    const conditions = new Conditions()
    const lines: string[] = []
    const read = readConfiguration(config, BACKENDS)
    for (let i = 0; i < 3; i++) reportRemarks(read, linesTo(lines), conditions)
    t.is(lines.length, 1)
    const verdict = withFindings(
      verdictOf(statusWith({ conditions: conditions.all }), undefined, NOW),
      findingsOf(report.checks),
    )
    t.deepEqual([verdict.word, verdict.code, verdict.reasons], ['healthy', 0, []])
    t.deepEqual(
      verdict.remarks.map(({ level: of }) => of),
      [level],
    )
    t.regex(verdict.remarks[0]?.text ?? '', text)
    reportRemarks(
      readConfiguration('{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan"}}', BACKENDS),
      linesTo(lines),
      conditions,
    )
    t.deepEqual(conditions.all, [])
  })
}

test('a refused config is a fault until it is withdrawn, reported once by status', (t) => {
  const conditions = new Conditions()
  reportRefused('network config: SubnetLen: 40: bad', linesTo([]), conditions)
  const verdict = verdictOf(statusWith({ conditions: conditions.all }), undefined, NOW)
  t.deepEqual([verdict.word, verdict.reasons[0]?.code], ['degraded', 'config-refused'])
  const report = makeReport(CHECKS, withConfig('{"Network":"10.2.0.0/16","SubnetLen":40}'))
  t.is(report.verdict, 'broken')
  clearRefused(conditions)
  t.is(verdictOf(statusWith({ conditions: conditions.all }), undefined, NOW).word, 'healthy')
})

test('a lease that is refused: a fault where it contests what is ours or a peer’s, else a warning', (t) => {
  const grave = REASONS.filter((reason) => refusalLevel(reason) === 'fault')
  t.deepEqual([...grave].toSorted(), ['bug', 'duplicate-mac', 'own-subnet', 'public-ip-ours'])
  t.is(refusalLevel('shut-out'), 'note')
  t.is(refusalLevel('a-word-of-a-backend'), 'warning')
  for (const level of ['note', 'warning'] as const) t.false(isTrouble({ state: 'refused', level }))
  t.true(isTrouble({ state: 'refused', level: 'fault' }))
})

test('broken leases of others: a standing warning for doctor and status, gone with them', (t) => {
  const leases = [
    lease(OWN, '192.168.19.121', 'own'),
    lease(PEER, '192.168.19.122', 'peer', '0a:00:00:00:00:22' as never),
    lease('10.2.77.0/24', 'nonsense'),
  ]
  const facts = factsWith({ leases })
  const report = makeReport(CHECKS, { ...facts, daemon: answering(facts) })
  t.deepEqual([report.verdict, report.code], ['healthy', 0], renderReport(report, false))

  const conditions = new Conditions()
  const leaseStats = new LeaseStats()
  const refused = new Map(['1', '2', '3', '4'].map((n) => [`/n/subnets/10.2.7${n}.0-24`, 'json']))
  const standing = new RefusedLeases(leaseStats, conditions)
  const look = (): void => {
    const told = { changes: [], refused: [] }
    standing.take('/n', { type: 'changes', revision: '9', changes: [] }, { peers: new Map(), refused }, told)
  }
  look()
  const verdict = withFindings(
    verdictOf(statusWith({ conditions: conditions.all }), undefined, NOW),
    findingsOf(report.checks),
  )
  t.deepEqual([verdict.word, verdict.reasons], ['healthy', []])
  t.deepEqual(
    verdict.remarks.map(({ code, text }) => [code, text]),
    [
      [
        'leases-refused',
        '4 leases refused, nothing is sent there: 10.2.71.0-24 (json), 10.2.72.0-24 (json), 10.2.73.0-24 (json) and 1 more',
      ],
    ],
  )
  refused.clear()
  look()
  t.deepEqual(conditions.all, [])
})

/** A report of one check that found these. */
function found(name: string, ...list: readonly Partial<Fault>[]): readonly Finding[] {
  const all = list.map((fault) => ({ level: 'fault' as const, cause: 'so', fix: '', proof: '', ...fault }))
  return findingsOf([{ name, faults: all }])
}

test("doctor's faults worsen the verdict by whether traffic stops; other findings do not", (t) => {
  const healthy = verdictOf(statusWith(), undefined, NOW)
  const word = (...list: readonly Partial<Fault>[]): Verdict['word'] =>
    withFindings(healthy, found('clock', ...list)).word
  t.is(word({ level: 'note' }, { level: 'warning' }), 'healthy')
  t.is(word({ level: 'warning' }, { level: 'fault' }), 'degraded')
  t.is(word({ level: 'fault' }, { level: 'fault', stops: true }), 'broken')
  t.is(withFindings(healthy, found('clock', { level: 'note' })).remarks[0]?.code, 'clock')
  t.is(withFindings(healthy, found('peers', { level: 'fault' })).word, 'healthy', 'the daemon reports peers itself')
})

test('what the daemon has already reported is recognised by its code, whatever the words', (t) => {
  const status: Partial<Status> = {
    troubled: [peerWith(9, { state: 'refused', level: 'fault', publicAddress: null, note: 'x' })],
    peers: { ...statusWith().peers, refused: 1, inTrouble: 1 },
  }
  const verdict = verdictOf(statusWith(status), undefined, NOW)
  t.is(withFindings(verdict, found('peer-leases', { code: 'lease-refused' })).reasons.length, 1)
  t.is(withFindings(verdict, found('peer-leases', { code: 'other' })).reasons.length, 2)
  t.is(withFindings(verdict, found('peer-leases', {})).reasons.length, 2)
})
