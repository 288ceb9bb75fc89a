// Signals: every one of which the kernel's default is the end, and which Node lets us handle, stops in order or is ignored.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import test from 'ava'
import { IGNORED, STOPPING } from '../../src/process/signals.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** Cannot be handled, are signs of a fault, ask for a core, or are V8's (the head of signals.ts). */
const ENDING = ['SIGKILL', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS', 'SIGTRAP', 'SIGABRT', 'SIGIOT', 'SIGPROF']
/** Of these the kernel's or Node's default is no end, or a name that stands for one of the others. */
const HARMLESS = ['SIGCHLD', 'SIGCONT', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGWINCH']
const BY_NODE = ['SIGPIPE', 'SIGXFSZ', 'SIGPOLL']

test('no signal was forgotten', (t) => {
  const known = new Set<string>([...STOPPING, ...IGNORED, ...ENDING, ...HARMLESS, ...BY_NODE])
  t.deepEqual(
    Object.keys(constants.signals).filter((signal) => !known.has(signal)),
    [],
  )
})

test('a process outlives all that are ignored', async (t) => {
  const path = new URL('../../src/process/signals.ts', import.meta.url).href
  const program = `const { handleSignals } = await import('${path}')
    handleSignals((signal) => { console.log('stop', signal); process.exit(0) }, (signal) => console.log('ignored', signal))
    setInterval(() => undefined, 1000); console.log('up')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  t.teardown(() => child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()))
  await waitFor('the process to be up', () => printed.includes('up'))
  for (const signal of IGNORED) {
    child.kill(signal)
    await waitFor(signal, () => printed.includes(`ignored ${signal}\n`))
    child.kill(signal)
  }
  child.kill('SIGTERM')
  await waitFor('the end', () => printed.includes('stop SIGTERM'))
  t.is(printed.match(/ignored/g)?.length, IGNORED.length)
})
