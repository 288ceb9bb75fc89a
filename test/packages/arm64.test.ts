// dist/flanneld-arm64, started by an emulator of that processor's programs.
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContainer } from '../lab/world/container.ts'
import { ROOT, SINGLE_FILE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const PROGRAM = join(ROOT, 'dist/flanneld-arm64')

/** With the libraries of libc6-arm64-cross and libstdc++6-arm64-cross. */
const EMULATOR = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu']

const emulated = (...args: string[]): string => {
  const [program = '', ...own] = EMULATOR
  return execFileSync(program, [...own, ...args], { encoding: 'utf8' })
}

test('it is a program for arm64 that says the same as the one for amd64', (t) => {
  t.regex(execFileSync('readelf', ['-h', PROGRAM], { encoding: 'utf8' }), /Machine: +AArch64/)
  for (const args of [['-version'], ['-help'], ['docker-opts', '-help']])
    t.is(emulated(PROGRAM, ...args), execFileSync(SINGLE_FILE, args, { encoding: 'utf8' }))
})

test('it starts where the kernel has pages of 64 kB', (t) => {
  t.regex(emulated('-p', '65536', PROGRAM, '-version'), /^flanneld \d/)
})

test('it asks no newer C library than Node does', (t) => {
  const symbols = ['dist/flanneld-arm64', 'build/arm64/kernel_socket.node', 'build/arm64/raw-24.node'].map((file) =>
    execFileSync('readelf', ['-VW', join(ROOT, file)], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  )
  const minors = symbols.map((text) =>
    Math.max(...Array.from(text.matchAll(/GLIBC_2\.(\d+)/g), (match) => Number(match[1]))),
  )
  t.true(Math.max(...minors) <= 28, `glibc 2.${String(Math.max(...minors))}`)
})

/** The daemon's command line, emulated; netlink is the kernel's own. */
function emulatedDaemon(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plain-netlink-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const library = join(folder, 'plain-netlink.so')
  const source = join(ROOT, 'test/lab/preload/plain-netlink.c')
  execFileSync('aarch64-linux-gnu-gcc', ['-shared', '-fPIC', '-o', library, source])
  return [...EMULATOR, '-E', `LD_PRELOAD=${library}`, PROGRAM].join(' ')
}

for (const backend of [
  { Type: 'vxlan', words: /onlink/ },
  { Type: 'host-gw', words: /via 192\.168\.19\.121 dev enp0s3 proto 142/ },
]) {
  test(`it forms one ${backend.Type} network with the program for amd64`, async (t) => {
    const lan = await (await createLab(t)).lan()
    const etcd = await startEtcd(lan)
    await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: backend.Type } })
    const [here, there] = await Promise.all([lan.host(121), lan.host(122)])
    const native = await startFlanneld(here, ARGS, SINGLE_FILE)
    const a = await createContainer(here, await waitForSubnetEnv(here, native))
    const daemon = await startFlanneld(there, ARGS, emulatedDaemon(t))
    await daemon.line(/ready: subnet\.env is written/, 120_000)
    const b = await createContainer(there, await waitForSubnetEnv(there, daemon))
    await waitFor('containers to reach each other', () => a.run(`ping -c 1 -W 1 ${b.address}`), 60_000)
    await b.run(`ping -c 1 -W 1 ${a.address}`)
    t.regex(await there.run('ip route'), backend.words)
    t.regex(await there.run('iptables-save'), /-j FLANNEL-FWD/)

    // Its own route, deleted, comes back: notifications and comparison work.
    const [route = ''] = (await there.run('ip route show proto 142')).split('\n')
    await there.run(`ip route del ${route}`)
    await waitFor(
      `${route} to be back`,
      async () => (await there.run('ip route show proto 142')).includes(route),
      60_000,
    )
    await b.run(`ping -c 1 -W 1 ${a.address}`)
    t.notRegex(daemon.output(), /EOPNOTSUPP/)
    t.is((await daemon.stop('SIGTERM', 30_000)).code, 0)
  })
}
