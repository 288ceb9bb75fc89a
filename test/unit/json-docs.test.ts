// docs/json.md shows what the verbs print: the examples have the very fields of the values.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BACKENDS } from '../../backends/index.ts'
import { configChange } from '../../src/network-config/config-change.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { viewOf } from '../../src/view/leases.ts'
import { ROOT } from '../lab/actors/flanneld.ts'

const DOCS = readFileSync(join(ROOT, 'docs/json.md'), 'utf8')

/** The examples under a heading. */
function examples(verb: string): readonly Record<string, unknown>[] {
  const section = DOCS.split(/^## /m).find((part) => part.startsWith(`flanneld ${verb} --json`)) ?? ''
  return Array.from(
    section.matchAll(/```json\n([^]*?)```/g),
    ([, text = '']) => JSON.parse(text) as Record<string, unknown>,
  )
}

/** The fields of a value and what is in them, without the values. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])]
  if (typeof value !== 'object' || value === null) return null
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
}

const CONFIG = {
  key: '/n/config',
  value: Buffer.from('{"Network":"10.2.0.0/16"}'),
  createRevision: '1',
  modRevision: '1',
  lease: '0',
}
const LEASE = { ...CONFIG, key: '/n/subnets/10.2.3.0-24', value: Buffer.from('{"PublicIP":"192.168.19.1"}') }

test('flanneld leases', (t) => {
  const view = viewOf('/n', { revision: '9', entries: [CONFIG, LEASE] }, new Map())
  t.deepEqual(shape(examples('leases')[0]), shape(view))
})

test('flanneld config check', (t) => {
  const read = (vni: number): ReturnType<typeof readConfiguration> =>
    readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', VNI: vni } }), BACKENDS)
  const [valid, invalid] = examples('config check')
  const change = configChange(read(1), read(2), [])
  t.deepEqual(shape(valid?.['compared']), shape({ key: '', revision: '', same: false, ...change }))
  t.deepEqual((valid?.['compared'] as typeof change).changes, change.changes, 'and says what it says')
  t.throws(() => read(0), { message: String(invalid?.['message']) })
})
