// The rules of the house, held against every file: who may import whom, how long a file may be, what it may be called.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** Tracked files and those about to be, by path from the root. Files deleted but not yet committed are gone. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))

const CODE = FILES.filter((path) => /\.(ts|c|js)$/.test(path))
const SOURCE = CODE.filter((path) => /^(src|backends)\//.test(path))

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Paths from the root of what a file imports of this tree, types included. */
function imports(path: string): readonly string[] {
  const found = read(path).matchAll(
    /(?:^|\n)(?:import|export)\b[^'"\n]*(?:\n[^'"\n]*)*?['"](\.[^'"]+)['"]|import\(['"](\.[^'"]+)['"]\)/g,
  )
  return Array.from(found, (match) => normalize(join(dirname(path), match[1] ?? match[2] ?? '')))
}

/** The layer of a file under src/ or backends/: the higher may import the lower, never the other way. */
const LAYERS: readonly (readonly RegExp[])[] = [
  [/^src\/(netlink|ip)\//, /^src\/(log|errors)\.ts$/],
  [/^src\/(kernel|etcd)\//, /^backends\//, /^src\/backend\.ts$/],
  [/^src\/(reconcile|lease|firewall|probe|metrics|page|doctor|cli)\//],
  [/^src\/(?!main\.ts)[^/]+\.ts$/, /^src\/(options|network-config|external-interface)\//],
  [/^src\/main\.ts$/],
]
const layerOf = (path: string): number => LAYERS.findIndex((layer) => layer.some((pattern) => pattern.test(path)))

/** Values that everybody may speak of: contracts and checked values without I/O. */
const CONTRACTS =
  /^src\/(backend|log|errors)\.ts$|^src\/(lease\/lease|kernel\/(state|kernel)|etcd\/store)\.ts$|^src\/ip\//

test('imports point one way: main, daemon, parts of the daemon, kernel and etcd and backends, netlink and values', (t) => {
  const wrong = SOURCE.filter((path) => path.endsWith('.ts')).flatMap((path) =>
    imports(path)
      .filter((target) => /^(src|backends)\//.test(target) && !CONTRACTS.test(target) && !isPlainPart(target))
      .filter((target) => layerOf(target) > layerOf(path))
      .map((target) => `${path} imports ${target}`),
  )
  t.deepEqual(wrong, [])
})

/** Files directly under src/, and the folders named after one, that are parts rather than wiring: nothing is above them. */
function isPlainPart(path: string): boolean {
  return (
    /^src\/((options|network-config|external-interface)\/)?[^/]+\.ts$/.test(path) &&
    !/^src\/(main|daemon)\.ts$/.test(path)
  )
}

test('nothing imports main, and only main imports the daemon', (t) => {
  const wrong = SOURCE.filter((path) => path.endsWith('.ts')).flatMap((path) =>
    imports(path)
      .filter((target) => target === 'src/main.ts' || (target === 'src/daemon.ts' && path !== 'src/main.ts'))
      .map((target) => `${path} imports ${target}`),
  )
  t.deepEqual(wrong, [])
})

test('programs are started by one door alone, which bounds their time and output', (t) => {
  const starting = SOURCE.filter((path) => read(path).includes('node:child_process'))
  t.deepEqual(starting, ['src/child.ts'])
})

test('netlink and etcd know nothing of each other, nor of leases, firewall or reconciling', (t) => {
  const wrong = SOURCE.flatMap((path) => {
    const own = /^src\/(netlink|etcd|ip)\//.exec(path)?.[1]
    if (own === undefined) return []
    const allowed = new RegExp(`^src/(${own}|ip)/|^src/(log|errors)\\.ts$`)
    return imports(path).flatMap((target) => (allowed.test(target) ? [] : [`${path} imports ${target}`]))
  })
  t.deepEqual(wrong, [])
})

test('backends import only the contract, kernel state, addresses, errors and each other, and nothing from outside', (t) => {
  const allowed = /^src\/(backend|errors)\.ts$|^src\/kernel\/state\.ts$|^src\/ip\/|^backends\//
  const backends = SOURCE.filter((path) => path.startsWith('backends/') && path.endsWith('.ts'))
  t.true(backends.length > 0)
  const wrong = backends.flatMap((path) => [
    ...imports(path).flatMap((target) => (allowed.test(target) ? [] : [`${path} imports ${target}`])),
    ...Array.from(read(path).matchAll(/from ['"]([^.'"][^'"]*)['"]/g), (match) => `${path} imports ${match[1]}`),
  ])
  t.deepEqual(wrong, [])
})

test('backends are synchronous: no async, no await, no promise, no clock, no randomness', (t) => {
  const backends = SOURCE.filter((path) => path.startsWith('backends/') && path.endsWith('.ts'))
  const wrong = backends.filter((path) => /\b(async|await|Promise|Date|performance|Math\.random)\b/.test(codeOf(path)))
  t.deepEqual(wrong, [])
})

test('every backend folder is in the list', (t) => {
  const list = read('backends/index.ts')
  const folders = readdirSync(join(ROOT, 'backends'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  t.deepEqual(
    folders.map((entry) => entry.name).filter((name) => !list.includes(`'./${name}/index.ts'`)),
    [],
  )
})

test('a file is one idea: at most 250 lines', (t) => {
  const measured = CODE.filter((path) => /^(src|backends|test|bench|scripts|examples)\//.test(path))
  const long = measured
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter((it) => it.lines > 250)
  t.deepEqual(long, [])
})

test('a file opens with what it is, unless the titles of its tests say so', (t) => {
  const wrong = CODE.filter((path) => !path.endsWith('.test.ts') && !/^(#!.*\n)?\/[/*]/.test(read(path)))
  t.deepEqual(wrong, [])
})

test('a file is named after what is in it', (t) => {
  const vague = /^(managers?|helpers?|utils?|utilit(y|ies)|common|base|services?|misc|shared|lib|index2?)$/
  const wrong = CODE.filter((path) => {
    const name = basename(path).replace(/(\.test)?\.\w+$/, '')
    return vague.test(name) && !(name === 'index' && /^(backends|examples)\//.test(path))
  })
  t.deepEqual(wrong, [])
})

test('only main ends the process, and only the door for programs ends others', (t) => {
  const having = (what: RegExp): readonly string[] => SOURCE.filter((path) => what.test(codeOf(path)))
  t.deepEqual(having(/process\s*\.\s*(exit|abort)\b/), ['src/main.ts'])
  t.deepEqual(having(/process\s*\.\s*kill\b/), ['src/child.ts'])
})

test('tests wait for conditions and are all run: no only, no skip, no sleep', (t) => {
  const tests = CODE.filter((path) => path.endsWith('.test.ts') && path !== 'test/repo.test.ts')
  t.deepEqual(
    tests.filter((path) =>
      /\btest(\.\w+)*\.(only|skip|todo|failing)\b|node:timers\/promises|['"`; ]sleep \d+ *(;|&&)/.test(read(path)),
    ),
    [],
  )
})

test('nothing tracked names a package registry, a mirror or the machine it was written on', (t) => {
  // Put together here, so that this file does not name them.
  const names = [
    'registry\\.npm' + 'js',
    'npm' + 'mirror',
    'yarnpkg\\.' + 'com',
    '"resol' + 'ved":',
    '/wo' + 'rk/',
    '/opt/wh' + 'eels',
  ]
  const pattern = new RegExp(names.join('|'))
  t.deepEqual(
    FILES.filter((path) => !/\.(png|bin)$/.test(path) && pattern.test(read(path))),
    [],
  )
})

test('packages are pinned to exact versions', (t) => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/(^|@)\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  )
  t.deepEqual(loose, [])
})

/** A file without its comments. */
function codeOf(path: string): string {
  return read(path).replaceAll(/\/\*[\s\S]*?\*\/|(?<![:'"`\w])\/\/.*$/gm, '')
}
