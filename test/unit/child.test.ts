// Programs that hang, fork, print without end or cannot be started: the daemon is done with each in time.
import test from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Killed, runChild } from '../../src/process/child.ts'
import { runProgram } from '../../src/firewall/run.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** Longer than any test waits. */
const FOR_EVER = 'sleep 3000'
const OPTIONS = { input: '', limitMs: 60_000, outputBytes: 1 << 20 }
const sh = (script: string, options: Partial<typeof OPTIONS> = {}): ReturnType<typeof runChild> =>
  runChild('sh', ['-c', script], { ...OPTIONS, ...options })

/** Whether a process is gone, or a zombie that its parent has not seen yet. */
function isGone(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.startsWith('Z') ?? true
  } catch {
    return true
  }
}

test('what a program prints and its exit status are returned', async (t) => {
  t.deepEqual(await sh('cat; echo no >&2; exit 3', { input: 'yes' }), {
    status: 3,
    signal: null,
    stdout: 'yes',
    stderr: 'no\n',
  })
  t.is((await sh('kill -SEGV $$')).signal, 'SIGSEGV')
})

test('a program that hangs is killed together with what it started', async (t) => {
  let pid = 0
  const path = `/tmp/child-test-${process.pid}`
  await t.throwsAsync(sh(`${FOR_EVER} & echo $! >${path}; wait`, { limitMs: 500 }), {
    instanceOf: Killed,
    message: 'did not end within 500 ms: killed',
  })
  pid = Number(readFileSync(path, 'utf8'))
  t.true(pid > 1)
  await waitFor('its child to be gone', () => isGone(pid))
})

test('a program that ends while a child of its own keeps the pipe is judged by its status, and the child is killed', async (t) => {
  const { status, stdout } = await sh(`${FOR_EVER} & echo $!; exit 4`)
  t.is(status, 4)
  await waitFor('its child to be gone', () => isGone(Number(stdout)))
})

test('even a child in a session of its own, which keeps the pipe, holds nothing up', async (t) => {
  const { status, stdout } = await sh(`setsid ${FOR_EVER} & echo $!`)
  t.is(status, 0)
  process.kill(Number(stdout), 'SIGKILL')
})

test('output without end ends the program, not our memory', async (t) => {
  await t.throwsAsync(sh('yes', { outputBytes: 100_000 }), { message: 'printed more than 100000 bytes: killed' })
  // What is said on standard error is cut, which is no fault.
  t.true((await sh('yes | head -c 10000000 >&2')).stderr.length < 1_000_000)
})

test('input that the program does not read is no error', async (t) => {
  t.is((await sh('exec <&-; exit 0', { input: 'x'.repeat(1 << 20) })).status, 0)
})

test('what cannot be started is a rejection: not there, not a program, too many arguments', async (t) => {
  await t.throwsAsync(runChild('/nonexistent/nft', [], OPTIONS), { code: 'ENOENT' })
  await t.throwsAsync(runChild('/etc/passwd', [], OPTIONS), { code: 'EACCES' })
  await t.throwsAsync(runChild('true', ['x'.repeat(1 << 20)], OPTIONS), { code: 'E2BIG' })
})

test('without a descriptor left, starting a program is a rejection that says what to do', async (t) => {
  const script = `
    const { openSync } = await import('node:fs')
    const { runProgram } = await import('${join(import.meta.dirname, '../../src/firewall/run.ts')}')
    try { for (;;) openSync('/dev/null') } catch (error) { console.log(error.code) }
    await runProgram({ prefix: [] }, 'nft', ['list', 'tables']).catch((error) => console.log(error.message))
    console.log('goes on')`
  const { status, stdout, stderr } = await sh(
    `ulimit -n 64; exec ${process.execPath} --input-type=module --eval "$0"`.replace(
      '"$0"',
      `'${script.replaceAll("'", `'\\''`)}'`,
    ),
  )
  t.is(status, 0, stderr)
  t.regex(stdout, /^EMFILE\nfirewall: nft: no file descriptor left: raise LimitNOFILE=.*\ngoes on\n$/)
})

test('a program that crashes is reported as crashed', async (t) => {
  await t.throwsAsync(runProgram({ prefix: [] }, 'sh', ['-c', 'kill -SEGV $$']), {
    message: 'firewall: sh: ended by SIGSEGV',
  })
})

test('when we exit, nothing that was started is left', async (t) => {
  const script = `
    const { runChild } = await import('${join(import.meta.dirname, '../../src/process/child.ts')}')
    process.on('SIGTERM', () => process.exit(0))
    runChild('sh', ['-c', '${FOR_EVER} & echo $! >&3; ${FOR_EVER}'], { input: '', limitMs: 60_000, outputBytes: 1 })
    setInterval(() => undefined, 1000)`
  // Descriptor 3 of ours is not inherited by what Node starts: the shell writes its child's id to a file.
  const path = join(mkdtempSync('/tmp/child-exit-'), 'pid')
  const us = spawn(process.execPath, ['--input-type=module', '--eval', script.replace('>&3', `>${path}`)])
  // The shell makes the file before it writes to it.
  const pid = await waitFor('the child', () => Number(readFileSync(path, 'utf8')) || undefined)
  us.kill('SIGTERM')
  await once(us, 'exit')
  await waitFor('the child to be gone', () => isGone(pid))
  t.pass()
})
