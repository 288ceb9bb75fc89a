// Libraries that change what the kernel's calls do for one program: compiled from the C files in this folder.
import type { ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUNDLE } from '../actors/flanneld.ts'

/** The daemon's command line with this library preloaded; the library is gone when the test is over. */
export function preloaded(
  t: Pick<ExecutionContext, 'teardown'>,
  name: 'no-vxlan' | 'no-netlink-events' | 'failing-recv' | 'interrupted-dumps',
): string {
  const folder = mkdtempSync(join(tmpdir(), `flanneld-${name}-${process.pid}-`))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const library = join(folder, `${name}.so`)
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, join(import.meta.dirname, `${name}.c`)])
  return `env LD_PRELOAD=${library} ${BUNDLE}`
}

/** The words before a program that give it another wall clock by libfaketime, "=+3h" ahead; the monotonic one stays. */
export function withClock(setting: string): string {
  const listed = execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' })
  const library = /^.*libfaketimeMT\.so.*$/m.exec(listed)?.[0]
  if (library === undefined) throw new Error('no libfaketime: scripts/setup-machine.sh installs it')
  return `env LD_PRELOAD=${library} FAKETIME${setting} FAKETIME_DONT_FAKE_MONOTONIC=1`
}
