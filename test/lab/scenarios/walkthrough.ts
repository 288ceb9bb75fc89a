// Runs a document: every command on the host it names, comparing its output with what the document shows.
// Fences "sh HOST" (or "sh HOST stays", left running) may be followed by a fence "text" with lines of what is printed.
// Tables whose first column is "on" are faults: made, seen by the verb that the third heading names, and repaired.
import type { ExecutionContext } from 'ava'
import { importBusybox, ownControlGroup } from '../world/docker.ts'
import { type Host, type Lab, createLab } from '../world/lab.ts'
import type { Running } from '../world/process.ts'
import { waitFor } from '../instruments/wait.ts'
import { installSingleFile } from '../actors/flanneld.ts'

/** Commands of one host, and lines of what they print. */
export interface Step {
  readonly host: string
  readonly stays: boolean
  readonly commands: string
  readonly shown: readonly string[]
}

/** The steps of a document, in its order. */
export function stepsOf(document: string): readonly Step[] {
  const steps: Step[] = []
  // Steps of a list are indented.
  const plain = document.replaceAll(/^ {3}(?=\S)/gm, '')
  for (const [, info, text = '', table = ''] of plain.matchAll(/^```(.*)\n([^]*?)^```$|^((?:\| .*\|\n)+)/gm)) {
    if (info === undefined) {
      steps.push(...faultsOf(table))
      continue
    }
    const [language, host = '', stays] = info.split(' ')
    const last = steps.at(-1)
    if (language === 'text' && last !== undefined)
      steps[steps.length - 1] = { ...last, shown: text.trimEnd().split('\n') }
    else if (language === 'sh') steps.push({ host, stays: stays === 'stays', commands: text, shown: [] })
  }
  return steps
}

/** Of a table of faults: the fault, what is said of it, and, where there is a fourth column, the repair and the end of it. */
function faultsOf(table: string): readonly Step[] {
  const [heads = [], , ...rows] = table
    .trimEnd()
    .split('\n')
    .map((row) => row.slice(2, -2).split(/ \| /))
  const [verb, asked] = /^`(.*)` on (\w+)/.exec(heads[2] ?? '')?.slice(1) ?? []
  if (heads[0] !== 'on' || verb === undefined || asked === undefined) return []
  const code = (cell: string): string => cell.replaceAll(/^`|`$/g, '')
  const step = (host: string, commands: string, shown: readonly string[]): Step => ({
    host,
    stays: false,
    commands,
    shown,
  })
  return rows.flatMap(([host = '', fault = '', said = '', repair]) => [
    step(host, code(fault), []),
    step(asked, verb, [said]),
    ...(repair === undefined ? [] : [step(host, code(repair), []), step(asked, verb, ['● healthy'])]),
  ])
}

/** A line as a pattern: words with a digit in them, addresses apart, may be others; so may the space between. */
function patternOf(line: string): RegExp {
  const words = line.trim().split(/\s+/)
  const patterns = words.map((word) =>
    /\d/.test(word) && !/^\d+\.\d+\.\d+\.\d+/.test(word) ? '\\S+' : word.replaceAll(/[^\w\s]/g, '\\$&'),
  )
  return new RegExp(patterns.join('\\s+'))
}

/** The terminals of a walkthrough. */
interface Terminals {
  readonly lab: Lab
  readonly hosts: ReadonlyMap<string, Host>
  /** What was left running. */
  readonly left: Running[]
  /** By host, what its terminal remembers between commands: exported variables. */
  readonly exported: Map<string, string>
}

/** Runs the steps on hosts `etcd`, `host1` and `host2` of a lab, and asserts that nothing is left in the end. */
export async function runSteps(t: ExecutionContext, steps: readonly Step[]): Promise<void> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const hosts = new Map<string, Host>()
  for (const [name, last] of [
    ['etcd', 120],
    ['host1', 121],
    ['host2', 122],
  ] as const)
    hosts.set(name, await lan.host(last))
  for (const [name, host] of hosts) {
    if (name === 'etcd') continue
    await installSingleFile(host)
    const docker = JSON.stringify({ 'cgroup-parent': ownControlGroup(lab) })
    await host.run('mkdir -p /etc/docker; cat >/etc/docker/daemon.json', docker)
  }
  const terminals: Terminals = { lab, hosts, left: [], exported: new Map() }
  for (const step of steps) await runStep(t, terminals, step)
  const traces =
    'ip link show flannel.1 2>/dev/null; ip route show proto 142; iptables-save | grep -i flannel; nft list ruleset | grep -i flannel; true'
  for (const name of ['host1', 'host2']) t.is(await hosts.get(name)?.run(traces), '', `${name}: nothing is left`)
}

async function runStep(t: ExecutionContext, terminals: Terminals, step: Step): Promise<void> {
  const { hosts, left, exported } = terminals
  const { host: name, stays, commands, shown } = step
  const host = hosts.get(name)
  if (host === undefined) throw new Error(`${commands}: there is no host ${name}`)
  if (stays) return leaveRunning(terminals, host, commands)
  // dockerd's own lines are of no help.
  const said = (): string => left.map((running) => running.output().replaceAll(/^time=.*\n/gm, '')).join('\n')
  const script = `${exported.get(name) ?? ''}\n${commands}`
  const exports = Array.from(commands.matchAll(/^export .*$/gm), ([line]) => line).join('\n')
  if (exports !== '') exported.set(name, exports)
  if (shown.length === 0) {
    await t.notThrowsAsync(host.run(`set -e\n${script}`), `${commands}\n${said()}`)
    return
  }
  const asked = await shows(host, name, script, shown.map(patternOf)).catch((error: unknown) => {
    throw new Error(`${commands}\n${String(error)}\n${said()}`)
  })
  if (asked > 1) t.log(`${name}: ${commands.trim()}: asked ${asked} times`)
}

/** Starts what a document leaves running, and waits until it serves. */
async function leaveRunning({ lab, left }: Terminals, host: Host, commands: string): Promise<void> {
  left.push(await host.spawn(`sh -c '${commands.trim()}'`))
  if (commands.includes('dockerd')) await importBusybox(lab, host)
  if (commands.startsWith('flanneld ')) await waitFor('subnet.env', () => host.run('cat /run/flannel/subnet.env'))
  if (!commands.startsWith('etcd')) return
  await waitFor('etcd', () => host.run('etcdctl --endpoints=http://192.168.19.120:2379 endpoint health 2>&1'))
}

/**
 * Waits until all of it is shown: a verdict has an exit status, and comes in time. What changes something is done once; how
 * often the rest was asked is returned.
 */
async function shows(host: Host, name: string, script: string, patterns: readonly RegExp[]): Promise<number> {
  let output = ''
  let asked = 0
  let again = script
  await waitFor(
    `${name}: ${patterns.join(' ')}`,
    async () => {
      asked++
      output = await host.run(`{ ${again}\n} 2>&1; true`)
      again = script.replaceAll(
        /^(?!export |flanneld (status|peers|events|doctor)|docker run --rm|ip (addr|route)( show.*)?$|cat ).*$/gm,
        ':',
      )
      return patterns.every((pattern) => pattern.test(output))
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${output}`)
  })
  return asked
}
