// What bash and zsh complete behind `flanneld`, asked of the real shells.
import test, { type ExecutionContext } from 'ava'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bashCompletion, zshCompletion } from '../../src/cli/verbs/completion.ts'
import { VERB_WORDS } from '../../src/cli/verb-words.ts'
import { runVerb } from '../../src/cli/verbs.ts'
import { ROWS } from '../../src/options/table.ts'
import { VERB_NAMES } from '../../src/options/usage.ts'

const run = promisify(execFile)

/** A folder with the scripts and a file to complete, gone after the test. */
function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), `completion-${process.pid}-`))
  t.teardown(() => {
    rmSync(path, { recursive: true })
  })
  writeFileSync(join(path, 'bash'), bashCompletion())
  writeFileSync(join(path, '_flanneld'), zshCompletion())
  writeFileSync(join(path, 'my config.json'), '{}')
  return path
}

/** What bash offers for the last of these words. */
async function bash(at: string, ...words: readonly string[]): Promise<readonly string[]> {
  const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _flanneld; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', 'flanneld', ...words], { cwd: at })
  return stdout.split('\n').filter((line) => line !== '')
}

test('bash: verbs, their words, files, flags with one dash or two, and the words a flag takes', async (t) => {
  const at = folder(t)
  t.deepEqual(await bash(at, ''), VERB_NAMES)
  t.deepEqual(await bash(at, 're'), ['readmit', 'release', 'reserve'])
  t.deepEqual(await bash(at, '-etcd-prefix', '/x', '-ip-masq', 'lea'), ['leases'])
  t.deepEqual(await bash(at, 'config', ''), ['get', 'set', 'check'])
  t.deepEqual(await bash(at, 'config', 'set', '-force', 'my'), ['my config.json'])
  t.deepEqual(await bash(at, 'config', 'set', '--for'), ['--force', '--force-network-overlap'])
  t.deepEqual(await bash(at, 'leases', '-js'), ['-json'])
  t.deepEqual(await bash(at, 'leases', '-etcd-c'), ['-etcd-certfile', '-etcd-cafile'])
  t.deepEqual(await bash(at, '-on-subnet-conflict', ''), ['new', 'wait'])
  t.deepEqual(await bash(at, '-on-subnet-conflict', '='), ['new', 'wait'])
  t.deepEqual(await bash(at, 'leases', '-nexthop-objects', '=', 'al'), ['always'])
  t.deepEqual(await bash(at, '--subnet-file', 'my'), ['my config.json'])
  t.true((await bash(at, '-iface', 'l')).includes('lo'))
  t.deepEqual(await bash(at, 'docker-opts', '-'), ['-f', '-d', '-i', '-c', '-m', '-k', '-json', '-help'])
  t.deepEqual(await bash(at, 'completion', 'z'), ['zsh'])
  t.deepEqual(await bash(at, 'reserve', '10.2.3.0/24', ''), [])
})

test('bash: every flag of the daemon that has an effect, and none that has not', async (t) => {
  const offered = await bash(folder(t), '-')
  const flags = ROWS.filter((row) => row.unsupported === undefined).map((row) => `-${row.flag}`)
  t.deepEqual(offered, [...flags, '-version', '-help'])
})

/** What zsh makes of each line when the tab key is pressed behind it: a real zsh with its completion system, on a terminal. */
async function zsh(at: string, lines: readonly string[]): Promise<readonly string[]> {
  const begin = [
    'unset HISTFILE; PROMPT=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep no_list_ambiguous',
    // What the line is then goes to a file, by a key of its own.
    'told() { print -r -- $BUFFER >>told; BUFFER= }; zle -N told; bindkey "^X" told',
    'print begun >>told',
  ]
  const script = `
    zmodload zsh/zpty; zmodload zsh/zselect
    until-told() { local -i n; for ((n = 0; n < 6000; n++)); do
      [[ -r told && $(wc -l <told) -ge $1 ]] && return
      zpty -r -t shell >/dev/null; zselect -t 1; done; exit 1 }
    zpty -b shell zsh -f -i
    zpty -w shell ${JSON.stringify(begin.join('; ')).replaceAll('$', '\\$')}
    until-told 1
    integer lines=1
    for line in "$@"; do
      zpty -w -n shell "$line"$'\\t'$'\\x18'
      until-told $((++lines))
    done
    cat told`
  const { stdout } = await run('zsh', ['-f', '-c', script, 'zsh', ...lines], { cwd: at, timeout: 120_000 })
  return stdout.trimEnd().split('\n').slice(1)
}

test('zsh: the same, completed at its prompt', async (t) => {
  const wanted: readonly (readonly [string, string])[] = [
    ['flanneld lea', 'flanneld leases '],
    ['flanneld -etcd-prefix /x -ip-masq docker-o', 'flanneld -etcd-prefix /x -ip-masq docker-opts '],
    ['flanneld config ch', 'flanneld config check '],
    ['flanneld config set -force my', 'flanneld config set -force my\\ config.json '],
    ['flanneld config set --dry', 'flanneld config set --dry-run '],
    ['flanneld leases -js', 'flanneld leases -json '],
    ['flanneld -etcd-pr', 'flanneld -etcd-prefix '],
    ['flanneld -on-subnet-conflict w', 'flanneld -on-subnet-conflict wait '],
    ['flanneld completion z', 'flanneld completion zsh '],
    ['flanneld -subnet-file my', 'flanneld -subnet-file my\\ config.json '],
  ]
  const found = await zsh(
    folder(t),
    wanted.map(([line]) => line),
  )
  t.deepEqual(
    found.map((line) => line.trimEnd()),
    wanted.map(([, line]) => line.trimEnd()),
  )
})

test("the words completed after each verb are those in its -help, and the daemon's flags where it says so", async (t) => {
  for (const verb of VERB_NAMES) {
    let help = ''
    const out = (text: string): void => void (help += text)
    t.is(await runVerb(verb, ['-help'], { env: {}, out, err: out, screen: false }), 0, verb)
    const [usage = ''] = help.split('\n\n')
    const flags = new Set(Array.from(usage.matchAll(/[[|]-([a-z][a-z-]*)/g), ([, flag = '']) => flag))
    t.deepEqual([...flags].toSorted(), Object.keys(VERB_WORDS[verb].flags).toSorted(), verb)
    t.is(usage.includes('[OPTION]...'), VERB_WORDS[verb].daemon, verb)
  }
})
