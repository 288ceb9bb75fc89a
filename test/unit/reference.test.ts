// docs/reference.md, and the tables it is made of.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { BACKENDS } from '../../backends/index.ts'
import { REFERENCE, reference } from '../../scripts/reference.ts'
import type { ConfigKey } from '../../src/backend.ts'
import { equal } from '../../src/equal.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { ConfigError } from '../../src/errors.ts'
import { TOP_KEYS } from '../../src/network-config/keys.ts'
import { ROWS } from '../../src/options/table.ts'
import { REQUIRED_KEYS } from '../fake/values.ts'

const read = (config: object): ReturnType<typeof readConfiguration> =>
  readConfiguration(JSON.stringify(config), BACKENDS)

test('docs/reference.md is what the tables say', (t) => {
  t.is(readFileSync(REFERENCE, 'utf8'), reference(), 'run: make docs')
})

test('it names every flag and every key of the config once', (t) => {
  const text = reference()
  for (const { flag } of ROWS) t.is(text.match(new RegExp(`^\\| \`-${flag}[ \`]`, 'gm'))?.length, 1, flag)
  for (const key of Object.keys(TOP_KEYS)) t.is(text.match(new RegExp(`^\\| \`${key}\``, 'gm'))?.length, 1, key)
})

test('top-level keys of the config: each is read, and a bad value is refused by its name', (t) => {
  const base = { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } }
  for (const [key, { type }] of Object.entries(TOP_KEYS)) {
    const bad = type === 'object' ? 7 : {}
    const error = t.throws(() => read({ ...base, EnableIPv6: true, IPv6Network: 'fd00:2::/48', [key]: bad }), {
      instanceOf: ConfigError,
    })
    t.true(error.message.includes(key), error.message)
    t.deepEqual(read({ ...base, EnableIPv6: true, IPv6Network: 'fd00:2::/48' }).remarks.length, 0)
  }
})

/** Values that a key takes, and values that it refuses. */
function samplesOf({ default: value, range, choices, secret, required }: ConfigKey): Samples {
  if (required === true) return { good: ['w'.repeat(96)], bad: [0, 'x'] }
  if (range !== undefined) return { good: range, bad: [range[0] - 1, range[1] + 1, 'x'] }
  if (choices !== undefined) return { good: choices, bad: [0, 'x'] }
  if (secret === true) return { good: [Buffer.alloc(32, 7).toString('base64')], bad: [0, 'x'] }
  // A key without a value of its own takes any text, as a command is.
  if (typeof value === 'string') return { good: ['aes256-sha256'], bad: value === '' ? [0] : [0, 'x y'] }
  return { good: [value !== true], bad: [0, 'x'] }
}

interface Samples {
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
}

for (const backend of BACKENDS) {
  test(`keys of ${backend.type}: what stands in the table holds`, (t) => {
    const configOf = (keys: object): unknown =>
      read({ Network: '10.2.0.0/16', Backend: { ...REQUIRED_KEYS[backend.type], Type: backend.type, ...keys } }).own
        .config
    const defaults = configOf({})
    t.regex(
      read({ Network: '10.2.0.0/16', Backend: { ...REQUIRED_KEYS[backend.type], Type: backend.type, Nonsense: 1 } })
        .remarks[0]?.text ?? '',
      /Nonsense/,
    )
    for (const [key, row] of Object.entries(backend.configKeys)) {
      if (row.required === true) t.throws(() => configOf({ [key]: null }), { message: new RegExp(key) })
      else t.deepEqual(configOf({ [key]: row.default }), defaults, key)
      const { good, bad } = samplesOf(row)
      for (const other of good) t.notThrows(() => configOf({ [key]: other }), key)
      t.true(
        good.some((other) => !equal(configOf({ [key]: other }), defaults)),
        key,
      )
      for (const other of bad)
        t.throws(() => configOf({ [key]: other }), { instanceOf: ConfigError, message: new RegExp(key) })
    }
  })
}
