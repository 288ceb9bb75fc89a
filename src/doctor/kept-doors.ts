// What a daemon may have left open after a change of its config, as far as its rules show: only the daemon knows of the change.
import { selvesOf } from '../overlay/plan.ts'
import { valuesOf } from '../ip/by-family.ts'
import type { Peer } from '../backend.ts'
import type { OngoingChange } from '../overlay/change.ts'
import type { Ruleset } from '../firewall/iptables/ruleset.ts'
import type { PlanInputs } from '../overlay/inputs.ts'
import { contains, parsePrefix } from '../ip/prefix.ts'

/** The changes that would explain its doors: a moment ago, or longer since for peers whose doors it keeps. */
export function changesBehind(
  inputs: PlanInputs,
  peers: readonly Peer[],
  rulesets: readonly Ruleset[],
): readonly OngoingChange[] {
  const types = inputs.others.map(({ backend }) => backend.type)
  const formerly = peers.filter(({ type }) => types.includes(type))
  const accepts = valuesOf(selvesOf(inputs)).map(({ subnet, external }) => ` -d ${subnet} -i ${external.name} `)
  const all = rulesets.flatMap((ruleset) => [...(ruleset.get('filter')?.chains.values() ?? [])].flat())
  const rules = all.filter((rule) => accepts.some((text) => rule.includes(text)))
  const doors = rules.flatMap((rule) => parsePrefix(/-s (\S+) .*-j ACCEPT/.exec(rule)?.[1] ?? '') ?? [])
  const kept = formerly.filter(({ subnet }) => doors.some((door) => contains(door, subnet)))
  return [
    { lately: true, formerly },
    { lately: false, formerly: kept },
  ]
}
