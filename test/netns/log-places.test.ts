import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const SRC = join(import.meta.dirname, '../../src')

test('a line of the log names the file and line of the source that logs', async (t) => {
  const { host } = await createOneHost(t)
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/ready:/)
  const lines = daemon.output().split('\n').slice(0, -1)
  t.true(lines.length > 5)
  const wrong = lines.filter((line) => {
    const [, file = '', at = ''] = /^[IWE]\d{4} [\d:.]{15} +\d+ ([\w/-]+\.ts):(\d+)\] /.exec(line) ?? []
    const source = file === '' ? '' : readFileSync(join(SRC, file), 'utf8').split('\n')[Number(at) - 1]
    return !/log.*[.[]|\.(info|warn|error|debug)\(/i.test(source ?? '')
  })
  t.deepEqual(wrong, [])
})
