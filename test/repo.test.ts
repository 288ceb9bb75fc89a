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

/** The rooms, from the ground up: a folder or a loose file of src, and backends. A room imports only from floors below it. */
const FLOORS: readonly (readonly string[])[] = [
  ['async', 'counters', 'equal', 'ip', 'process', 'text'],
  ['errors', 'log'],
  ['etcd', 'files', 'health', 'netlink'],
  ['firewall', 'http', 'kernel', 'options'],
  ['backend'],
  ['backends', 'helpers', 'lease', 'reconcile'],
  ['host', 'network-config'],
  ['overlay'],
  ['obstacles', 'probe'],
  ['view'],
  ['doctor', 'metrics', 'page'],
  ['control'],
  ['cli', 'daemon'],
  ['main'],
]

/** The room a file is in: "lease" of src/lease/claim.ts, "log" of src/log.ts. */
function roomOf(path: string): string {
  const [top = '', room = ''] = path.split('/')
  return top === 'backends' ? top : room.replace(/\.ts$/, '')
}
const floorOf = (path: string): number => FLOORS.findIndex((floor) => floor.includes(roomOf(path)))

/** Files of the program in TypeScript; what runs in a browser is a program of its own. */
const PROGRAM = SOURCE.filter((path) => path.endsWith('.ts') && !path.startsWith('src/page/browser/'))

test('every file is in a room, and every room holds files', (t) => {
  t.deepEqual(
    PROGRAM.filter((path) => floorOf(path) < 0),
    [],
  )
  const rooms = new Set(PROGRAM.map(roomOf))
  t.deepEqual(
    FLOORS.flat().filter((room) => !rooms.has(room)),
    [],
  )
})

test('the house stays small: at most 34 rooms on 14 floors', (t) => {
  t.true(FLOORS.length <= 14)
  t.true(FLOORS.flat().length <= 34)
})

test('a room imports only from floors below it', (t) => {
  const wrong = PROGRAM.flatMap((path) =>
    imports(path)
      .filter((target) => /^(src|backends)\//.test(target) && target.endsWith('.ts') && roomOf(target) !== roomOf(path))
      .filter((target) => floorOf(target) >= floorOf(path))
      .map((target) => `${path} imports ${target}`),
  )
  t.deepEqual(wrong, [])
})

test('no file imports itself by way of others', (t) => {
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (trail.includes(path) || done.has(path)) return
    for (const target of imports(path)) if (PROGRAM.includes(target)) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of PROGRAM) visit(path, [])
  t.deepEqual(circles, [])
})

test('nothing imports main, and only main imports the daemon', (t) => {
  const wrong = SOURCE.filter((path) => path.endsWith('.ts')).flatMap((path) =>
    imports(path)
      .filter((target) => target === 'src/main.ts' || (target === 'src/daemon/daemon.ts' && path !== 'src/main.ts'))
      .map((target) => `${path} imports ${target}`),
  )
  t.deepEqual(wrong, [])
})

test('programs are started by one door alone, which bounds their time and output', (t) => {
  const starting = SOURCE.filter((path) => read(path).includes('node:child_process'))
  t.deepEqual(starting, ['src/process/child.ts'])
})

test('netlink and etcd know nothing of each other, nor of leases, firewall or reconciling', (t) => {
  const wrong = SOURCE.flatMap((path) => {
    const own = /^src\/(netlink|etcd|ip)\//.exec(path)?.[1]
    if (own === undefined) return []
    const allowed = new RegExp(`^src/(${own}|ip|async|text)/|^src/(log|errors|counters|equal)\\.ts$`)
    return imports(path).flatMap((target) => (allowed.test(target) ? [] : [`${path} imports ${target}`]))
  })
  t.deepEqual(wrong, [])
})

/** Who may name a family, and why: everywhere else what depends on it is a value by family (src/ip/by-family.ts). */
const NAMES_FAMILIES: readonly (readonly [reason: string, files: RegExp])[] = [
  ['families are made here', /^src\/ip\//],
  [
    'formats of others: netlink, keys and values in etcd, packets',
    /^src\/(netlink\/|lease\/codec\.ts|probe\/(icmp[46]?|mark|socket)\.ts)/,
  ],
  ['text for nft and iptables', /^src\/firewall\//],
  ['what one kernel announces of one family', /^src\/kernel\/own-writes\.ts$/],
  ['NO_PROXY, whose addresses never leave the file', /^src\/etcd\/proxy\.ts$/],
  ['a field of the JSON of leases', /^src\/(view\/leases|cli\/verbs\/leases|cli\/older-daemon)\.ts$/],
]

test('no file outside of those named says a family, so that a family more is an addition', (t) => {
  const call = '(?:only|inFamily|parseRange|chooseExternalInterface|alternatives|usableAddresses|bitsOf)'
  const family = new RegExp(
    `[=!]== [46]\\b|[\\w)?]\\.ipv[46]\\b(?!\\.)|\\b(?:subnet|network|\\w*[aA]ddress)6\\b|\\b${call}\\((?:[^()]*, )?[46][,)]`,
  )
  const wrong = PROGRAM.filter((path) => !NAMES_FAMILIES.some(([, files]) => files.test(path))).flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, n) => (family.test(line) && !/net\.ipv4/.test(line) ? [`${path}:${n + 1}: ${line.trim()}`] : [])),
  )
  t.deepEqual(wrong, [])
})

test('backends import only the contract, kernel state, names of devices, addresses, the form of keys, errors and each other, and nothing from outside', (t) => {
  const allowed =
    /^src\/(backend|errors)\.ts$|^src\/kernel\/(state|flannel-link)\.ts$|^src\/text\/wireguard-key\.ts$|^src\/ip\/|^backends\//
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

test('a file is one idea: at most 300 lines', (t) => {
  const measured = CODE.filter((path) => /^(src|backends|test|bench|scripts|examples)\//.test(path))
  const long = measured
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter((it) => it.lines > 300)
  t.deepEqual(long, [])
})

test('one name has one meaning: what src and backends export is declared in one file', (t) => {
  const files = new Map<string, Set<string>>()
  for (const path of PROGRAM) {
    for (const [, name = ''] of read(path).matchAll(EXPORT)) files.set(name, (files.get(name) ?? new Set()).add(path))
  }
  const twice = Array.from(files, ([name, where]) => ({ name, where: [...where] })).filter(
    ({ where }) => where.length > 1,
  )
  t.deepEqual(twice, [])
})

test('code is laid out by prettier alone, and no literal is packed into another to save lines', (t) => {
  const typescript = CODE.filter((path) => path.endsWith('.ts') && path !== 'test/repo.test.ts')
  t.deepEqual(
    typescript.filter((path) => /prettier-ignore|\.\.\.\{/.test(read(path))),
    [],
  )
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
  t.deepEqual(having(/process\s*\.\s*kill\b/), ['src/process/child.ts'])
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

/** A declaration that is exported, and its name. */
const EXPORT = /^export (?:async )?(?:function\*?|abstract class|class|const|interface|type) (\w+)/gm

/** A file without its comments. */
function codeOf(path: string): string {
  return read(path).replaceAll(/\/\*[\s\S]*?\*\/|(?<![:'"`\w])\/\/.*$/gm, '')
}
