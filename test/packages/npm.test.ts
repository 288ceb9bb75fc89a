// The npm package: packed as it would be published, installed offline into an empty folder, and run from there.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT, SINGLE_FILE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const folder = mkdtempSync(join(tmpdir(), 'npm-'))
test.after.always(() => {
  rmSync(folder, { recursive: true })
})

/** npm is the machine's own, and runs on the machine's own node. */
const MACHINE = (process.env['PATH'] ?? '')
  .split(':')
  .filter((part) => !part.includes('node_modules'))
  .join(':')

/** The project's own node, for what was installed. */
const NODE = dirname(process.execPath)

const npm = (args: readonly string[], cwd: string): string =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', env: { ...process.env, PATH: MACHINE } })

const [tarball = ''] = npm(['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], ROOT)
  .trim()
  .split('\n')
  .slice(-1)
const installed = join(folder, 'empty')

test.before(() => {
  execFileSync('mkdir', [installed])
  const cache = join(folder, 'cache')
  npm(['install', '--offline', '--no-audit', '--no-fund', '--cache', cache, join(folder, tarball)], installed)
})

test('it has the program, its addons and licences, and depends on nothing', (t) => {
  const files = execFileSync('tar', ['-tzf', join(folder, tarball)], { encoding: 'utf8' })
    .trim()
    .split('\n')
  t.deepEqual(files.sort(), [
    'package/CHANGELOG.md',
    'package/LICENSE',
    'package/README.md',
    'package/dist/THIRD-PARTY-NOTICES',
    'package/dist/flanneld',
    'package/dist/kernel_socket.node',
    'package/dist/package.json',
    'package/dist/raw-20.node',
    'package/dist/raw-24.node',
    'package/package.json',
  ])
  t.deepEqual(execFileSync('ls', ['node_modules'], { cwd: installed, encoding: 'utf8' }).trim(), 'flanneld')
  const said = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>
  t.like(said, { os: ['linux'], cpu: ['x64'], libc: ['glibc'], engines: { node: '>=20.19' } })
  // As the addons are.
  t.regex(execFileSync('readelf', ['-h', join(ROOT, 'dist/kernel_socket.node')], { encoding: 'utf8' }), /X86-64/)
})

test('installed, it answers and it runs', async (t) => {
  const { host } = await createOneHost(t)
  const program = `env PATH=${NODE}:/usr/sbin:/usr/bin:/sbin:/bin ${join(installed, 'node_modules/.bin/flanneld')}`
  t.is(await host.run(`${program} -version`), execFileSync(SINGLE_FILE, ['-version'], { encoding: 'utf8' }))
  const daemon = await startFlanneld(host, ARGS, program)
  const { FLANNEL_SUBNET: subnet } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready: subnet\.env is written/, 60_000)
  t.regex(await host.run('ip -d link show flannel.1'), /vxlan id 1/)
  await host.run(`${program} docker-opts -c`)
  t.true((await host.run('cat /run/docker_opts.env')).includes(`--bip=${String(subnet)}`))
  t.regex(await host.run(`${program} status`), /healthy/)
  t.is((await daemon.stop()).code, 0)
})
