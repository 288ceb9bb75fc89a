// Shell and Dockerfiles, read by what knows them.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'

const shellcheck = (args: readonly string[], input?: string): string => {
  try {
    return execFileSync('shellcheck', args, { cwd: ROOT, encoding: 'utf8', ...(input === undefined ? {} : { input }) })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

test('shellcheck has nothing to say on the scripts', (t) => {
  const scripts = execFileSync('git', ['ls-files', '*.sh', 'packaging/deb/p*', '.ci/run'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  t.is(shellcheck(scripts.trim().split('\n')), '')
})

/** A Dockerfile's instructions, continued lines joined, comments left out. */
function instructions(path: string): readonly { readonly name: string; readonly rest: string }[] {
  const text = readFileSync(join(ROOT, path), 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
  return text.split('\n').flatMap((line) => {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    return name === undefined || rest === undefined ? [] : [{ name, rest }]
  })
}

for (const path of ['packaging/oci/Dockerfile', 'examples/compose/etcd.Dockerfile']) {
  test(`${path} keeps to what is good practice`, (t) => {
    const all = instructions(path)
    const of = (name: string): readonly string[] => all.filter((it) => it.name === name).map((it) => it.rest)
    t.true(of('RUN').length > 0 && of('FROM').length === 1)
    // A tag, not whatever is the latest.
    t.true(of('ARG').some((arg) => /^BASE=[\w/]+:(?!latest)[\w.-]+$/.test(arg)))
    t.deepEqual(of('ADD'), [], 'COPY does not unpack or fetch')
    for (const command of [...of('ENTRYPOINT'), ...of('CMD')])
      t.true(Array.isArray(JSON.parse(command)), 'without a shell, which would keep signals from the program')
    for (const run of of('RUN')) {
      t.is(shellcheck(['-s', 'sh', '-'], run), '')
      t.is(
        /apt-get install/.test(run),
        /-y --no-install-recommends/.test(run) && /rm -rf \/var\/lib\/apt\/lists/.test(run),
      )
    }
  })
}
