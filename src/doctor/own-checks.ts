// The checks a running daemon makes of its own host, in groups by what they cost and how soon their outcome can change.
// Invariant: no group lists what etcd holds or what the kernel has; a group that fails says why, and the others continue.
import type { Family } from '../ip/address.ts'
import { familiesOf } from '../ip/by-family.ts'
import { bridgeFault } from '../host/docker-bridge.ts'
import { findIptables } from '../firewall/iptables/programs.ts'
import { type Runner, output } from '../firewall/run.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { peersIn } from '../overlay/sessions.ts'
import { type Running, type RunningDaemon, whenRunning } from '../view/running-daemon.ts'
import type { Finding } from '../view/verdict.ts'
import { overlapCheck } from './checks/address.ts'
import { subnetEnvCheck } from './checks/daemon.ts'
import { clockCheck, tlsCheck } from './checks/etcd.ts'
import { strangerFaults } from './checks/firewall.ts'
import { foreignRulesCheck } from './checks/foreign-rules.ts'
import { forwardCheck } from './checks/forwarding.ts'
import { bridgeNetfilterCheck, modulesCheck, requirementsCheck, reversePathCheck } from './checks/host.ts'
import { sharedByPeers } from './checks/lease.ts'
import { mtuCheck } from './checks/mtu.ts'
import { checksumCheck } from './checks/path.ts'
import { probeChecksums } from './checksum-probe.ts'
import { readCredentialFacts, readEndpointFacts } from './endpoint-facts.ts'
import type { FirewallFacts } from './facts.ts'
import type { OwnCheck, OwnFacts } from './finding.ts'
import { findingsOf } from './findings.ts'
import { known } from './host-facts.ts'
import { type Known, valueIn } from './known.ts'
import { fullPlanOf, healthOf, ownPlan, readOwnFacts } from './own-facts.ts'
import { reportOf } from './report.ts'

/** What a group gives. */
export interface GroupOutcome {
  readonly findings: readonly Finding[]
  /** What is wrong with docker0; of the group that looks at it. */
  readonly docker?: string | undefined
}

/** One group. */
export interface CheckGroup {
  readonly name: string
  /** The least time between two looks, in milliseconds: `asked` on request, `rest` otherwise, by what was found last. */
  readonly everyMs: { readonly asked: number; rest(last: GroupOutcome): number }
  /** Whether its time is spent on work, here or in a program started for it, so that it has to be spread. */
  readonly works: boolean
  /** Runs the checks. Rejects with the error of the kernel or a program. */
  look(kernel: LiveKernel, daemon: RunningDaemon): Promise<GroupOutcome>
}

const NOTHING: GroupOutcome = { findings: [] }

function made(checks: readonly OwnCheck[], facts: OwnFacts): readonly Finding[] {
  return findingsOf(checks.map((check) => reportOf(check, check.run(facts))))
}

/** Settings of the host: a few files under /proc, its devices and addresses, subnet.env. */
const settings: CheckGroup = {
  name: 'settings',
  everyMs: { asked: 0, rest: () => 0 },
  works: true,
  async look(kernel, daemon) {
    // subnet.env is written a moment before we are ready.
    const { ready } = daemon.readiness
    const facts = await readOwnFacts(kernel, daemon)
    const { network, subnetEnv } = facts.host
    const checks = [
      modulesCheck,
      requirementsCheck,
      forwardCheck,
      overlapCheck,
      mtuCheck,
      ...(ready ? [subnetEnvCheck] : []),
    ]
    const running = whenRunning(daemon)
    const shared = running === undefined ? [] : ofPeers(running)
    const docker = bridgeFault(network, valueIn(subnetEnv))?.text
    return { findings: [...made(checks, facts), ...shared], docker }
  },
}

/** What is wrong with peers' leases that are believed one by one. */
function ofPeers({ sessions }: Running): readonly Finding[] {
  return findingsOf([{ name: 'duplicate-ip', faults: sharedByPeers(peersIn(sessions).values()) }])
}

/** Senders that a guard drops: a warning each. */
export function strangerFindings(
  strangers: readonly { readonly address: string; readonly packets: number }[],
  table: string,
): readonly Finding[] {
  const list = strangers.map(({ address, packets }) => [address, packets] as const)
  return findingsOf([{ name: 'guard', faults: strangerFaults(list, table) }])
}

/** Others' rules, and what a strict reverse path filter drops: lists all rules of the host. */
const rules: CheckGroup = {
  name: 'rules',
  everyMs: { asked: 2_000, rest: () => 60_000 },
  works: true,
  async look(kernel, daemon) {
    const running = whenRunning(daemon)
    if (running === undefined) return NOTHING
    const facts = { ...(await readOwnFacts(kernel, daemon)), firewall: await readRules(running) }
    const findings = made([bridgeNetfilterCheck, foreignRulesCheck], facts)
    const strict = [...facts.host.sysctls].some(([path, value]) => path.endsWith('/rp_filter') && value === '1')
    if (!strict) return { findings }
    const plan = await fullPlanOf(running)
    const asked = await kernel.askRoutes(Array.from(plan.peers.values(), ({ publicAddress }) => publicAddress))
    const network = { ...facts.host.network, asked }
    const probes = { ...facts.probes, peers: { value: healthOf(running) } }
    const filtered = { ...facts, plan: { value: plan }, host: { ...facts.host, network }, probes }
    return { findings: [...findings, ...made([reversePathCheck], filtered)] }
  },
}

/** The listing of nft comes without the elements of sets, of which the guard has one for each peer. */
async function readRules({ firewall, sessions }: Running): Promise<FirewallFacts> {
  const runner: Runner = { prefix: [] }
  const { passes } = firewall.status()
  const read = (family: Family): Promise<Known<string>> =>
    known(async () => {
      const save = passes.get(family)?.iptables.save ?? (await findIptables(runner, family, undefined)).save
      return output(runner, save, [])
    })
  // A host of one family has no other one's rules to look at.
  const families = familiesOf(sessions[0].inputs.subnets)
  const rulesOf = async (family: Family): Promise<Known<string>> =>
    families.includes(family) ? read(family) : { unknown: 'not read' }
  return {
    iptables: { 4: await rulesOf(4), 6: await rulesOf(6) },
    nft: await known(() => output(runner, 'nft', ['-t', '-j', 'list', 'ruleset'])),
  }
}

/** etcd's clocks and certificates, and our own. */
const endpoints: CheckGroup = {
  name: 'endpoints',
  everyMs: { asked: 30_000, rest: () => 600_000 },
  works: false,
  async look(kernel, daemon) {
    const facts = await readOwnFacts(kernel, daemon)
    const seen = { endpoints: await readEndpointFacts(facts.options), credentials: readCredentialFacts(facts.options) }
    return { findings: made([tlsCheck, clockCheck], { ...facts, ...seen }) }
  },
}

/** Peers that are asked about checksums at most. */
const CHECKSUM_PEERS = 8

/** Checksums on arrival: sends to peers, so at rest only until what was found is over. */
const checksums: CheckGroup = {
  name: 'checksums',
  everyMs: { asked: 30_000, rest: ({ findings }) => (findings.length > 0 ? 600_000 : Infinity) },
  works: false,
  async look(kernel, daemon) {
    const running = whenRunning(daemon)
    if (running === undefined) return NOTHING
    const peers = [...peersIn(running.sessions).values()].slice(0, CHECKSUM_PEERS)
    const plan = { value: ownPlan(running, peers) }
    const facts = await readOwnFacts(kernel, daemon)
    const probes = { ...facts.probes, checksums: await probeChecksums(plan, undefined) }
    return { findings: made([checksumCheck], { ...facts, plan, probes }) }
  },
}

/** All groups. */
export const OWN_CHECKS: readonly CheckGroup[] = [settings, rules, endpoints, checksums]
