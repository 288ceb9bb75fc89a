// docs/quick-start.md, run: every command on its host, and what it prints beside what the document shows.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveImage, ownControlGroup } from '../lab/docker.ts'
import { ROOT } from '../lab/flanneld.ts'
import { installSingleFile } from '../lab/founding.ts'
import { type Host, createLab } from '../lab/lab.ts'
import type { Running } from '../lab/process.ts'
import { waitFor } from '../lab/wait.ts'

/** Commands of one host, and lines of what they print. */
interface Step {
  readonly host: string
  readonly stays: boolean
  readonly commands: string
  readonly shown: readonly string[]
}

/** The steps of a document: fences "sh HOST" or "sh HOST stays", each followed by a fence "text" if it prints something. */
function stepsOf(document: string): readonly Step[] {
  const steps: Step[] = []
  for (const [, info = '', text = ''] of document.matchAll(/^```(.*)\n([^]*?)^```$/gm)) {
    const [language, host = '', stays] = info.split(' ')
    const last = steps.pop()
    if (language === 'text' && last !== undefined) steps.push({ ...last, shown: text.trimEnd().split('\n') })
    else if (language === 'sh') {
      if (last !== undefined) steps.push(last)
      steps.push({ host, stays: stays === 'stays', commands: text, shown: [] })
    }
  }
  return steps
}

/** A line as a pattern: words with a digit in them, addresses apart, may be others; so may the space between. */
function patternOf(line: string): RegExp {
  const words = line.trim().split(/\s+/)
  const patterns = words.map((word) =>
    /\d/.test(word) && !/^\d+\.\d+\.\d+\.\d+/.test(word) ? '\\S+' : word.replaceAll(/[^\w\s]/g, '\\$&'),
  )
  return new RegExp(patterns.join('\\s+'))
}

test('docs/quick-start.md: every command does what it says', async (t) => {
  const steps = stepsOf(readFileSync(join(ROOT, 'docs/quick-start.md'), 'utf8'))
  t.true(steps.length > 12)
  const lab = await createLab(t)
  const lan = await lab.lan()
  const hosts = new Map<string, Host>()
  for (const [name, last] of [['etcd', 120], ['host1', 121], ['host2', 122]] as const) hosts.set(name, await lan.host(last)) // prettier-ignore
  const left: Running[] = []
  for (const [name, host] of hosts) {
    if (name === 'etcd') continue
    await installSingleFile(host)
    await host.run('mkdir -p /etc/docker; cat >/etc/docker/daemon.json', JSON.stringify({ 'cgroup-parent': ownControlGroup(lab) })) // prettier-ignore
  }
  // What a terminal remembers between commands.
  const memory = new Map<string, string>()
  for (const { host: name, stays, commands, shown } of steps) {
    const host = hosts.get(name)
    if (host === undefined) return t.fail(`no host ${name}`)
    const said = (): string => left.map((running) => running.output()).join('\n')
    if (stays) {
      left.push(await host.spawn(`sh -c '${commands.trim()}'`))
      if (commands.includes('dockerd')) await giveImage(lab, host)
      if (commands.startsWith('etcd')) await waitFor('etcd', () => host.run('etcdctl --endpoints=http://192.168.19.120:2379 endpoint health 2>&1')) // prettier-ignore
      continue
    }
    const exported = Array.from(commands.matchAll(/^export .*$/gm), ([line]) => line).join('\n')
    const script = `${memory.get(name) ?? ''}\n${commands}`
    if (exported !== '') memory.set(name, exported)
    const [first = '', ...rest] = shown.map(patternOf)
    if (first === '') {
      await t.notThrowsAsync(host.run(`set -e\n${script}`), `${commands}\n${said()}`)
      continue
    }
    // What is shown comes in time, and a verdict has an exit status. What changes something is done once.
    let output = ''
    let again = script
    await waitFor(
      `${name}: ${commands}`,
      async () => {
        output = await host.run(`{ ${again}\n} 2>&1; true`)
        again = script.replaceAll(/^(?!export |flanneld (status|peers|events|doctor)|docker run --rm).*$/gm, ':')
        return [first, ...rest].every((pattern) => pattern.test(output))
      },
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${output}\n${said()}`)
    })
  }
  for (const name of ['host1', 'host2']) {
    const host = hosts.get(name)
    const traces = await host?.run('ip link show flannel.1 2>/dev/null; ip route show proto 142; iptables-save | grep -i flannel; nft list ruleset | grep -i flannel; true') // prettier-ignore
    t.is(traces, '', `${name}: nothing is left`)
  }
})
