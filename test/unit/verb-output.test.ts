// What verbs print, when its reader is slow, has seen enough, or is a full disk.
import test from 'ava'
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const EVENTS = Array.from({ length: 5000 }, (_, id) => ({
  id,
  at: 0,
  kind: 'repair',
  bad: false,
  text: 'x'.repeat(60),
}))

let folder: string

/** A daemon that answers nothing but events. */
const server = createServer((_, response) => response.end(JSON.stringify(EVENTS)))

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verb-'))
  await new Promise<void>((resolve) => server.listen(join(folder, 'flanneld.sock'), resolve))
})
test.after.always(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

/** Runs a pipeline in which $FLANNELD is `flanneld events`: its output, and the status of the verb. */
async function piped(
  pipeline: string,
): Promise<{ readonly out: string; readonly err: string; readonly status: number }> {
  const events = `${process.execPath} ${MAIN} events -subnet-file=${folder}/subnet.env`
  const child: ChildProcess = spawn('bash', ['-c', `${pipeline.replace('FLANNELD', events)}; exit \${PIPESTATUS[0]}`])
  let [out, err] = ['', '']
  child.stdout?.on('data', (text: Buffer) => (out += text.toString()))
  child.stderr?.on('data', (text: Buffer) => (err += text.toString()))
  const status = await new Promise<number>((resolve) =>
    child.on('close', (code) => {
      resolve(code ?? -1)
    }),
  )
  return { out, err, status }
}

test('nothing is cut off, however slow the reader', async (t) => {
  const { out, status } = await piped('FLANNELD | { read -r first; grep -c "" ; }')
  t.deepEqual([out.trim(), status], [String(EVENTS.length - 1), 0])
})

test('a verb whose reader has seen enough ends quietly, as others do', async (t) => {
  const { out, err, status } = await piped('FLANNELD | head -n 1')
  t.is(out.split('\n').length, 2)
  t.deepEqual([err, status], ['', 141])
})

test('a full disk is reported, and is a failure', async (t) => {
  const { err, status } = await piped('FLANNELD >/dev/full')
  t.regex(err, /^flanneld: standard output: ENOSPC.*\n$/)
  t.is(status, 1)
})
