import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { ConfigError } from '../../src/errors.ts'
import { MOST_VALUE_BYTES, oversizedNote } from '../../src/etcd/oversized.ts'
import { findJsonFault } from '../../src/network-config/json-text.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { parseNetworkConfig } from '../../src/network-config/parse.ts'

function refusal(config: unknown): ConfigError {
  try {
    parseNetworkConfig(typeof config === 'string' ? config : JSON.stringify(config))
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new TypeError(`not refused: ${JSON.stringify(config)}`)
}

const VXLAN = { Type: 'vxlan' }
const N = { Network: '10.2.0.0/16', Backend: VXLAN }
const SIX = { EnableIPv6: true, IPv6Network: 'fd00:2::/48' }

const REFUSED: readonly (readonly [path: string, config: object, rule: RegExp])[] = [
  ['Network', { Backend: VXLAN }, /must be an IPv4 network such as "10.2.0.0\/16"/],
  ['Network', { ...N, Network: '10.2.0.0' }, /must be an IPv4 network/],
  ['Network', { ...N, Network: '10.2.0.0/33' }, /must be an IPv4 network/],
  ['Network', { ...N, Network: '010.2.0.0/16' }, /must be an IPv4 network/],
  ['Network', { ...N, Network: 'fd00::/48' }, /must be an IPv4 network/],
  ['Network', { ...N, Network: 16 }, /must be a text/],
  ['Network', { ...N, Network: '10.2.0.0/29' }, /must be \/28 or larger/],
  ['Network', { ...N, Network: '0.0.0.0/0' }, /addresses a host may have/],
  ['Network', { ...N, Network: '127.0.0.0/16' }, /addresses a host may have/],
  ['Network', { ...N, Network: '126.0.0.0/7' }, /addresses a host may have/],
  ['Network', { ...N, Network: '239.0.0.0/16' }, /addresses a host may have/],
  ['SubnetLen', { ...N, SubnetLen: 17 }, /must be an integer from 18 to 30/],
  ['SubnetLen', { ...N, SubnetLen: 31 }, /must be an integer from 18 to 30/],
  ['SubnetLen', { ...N, SubnetLen: '24' }, /must be an integer/],
  ['SubnetLen', { ...N, SubnetLen: 24.5 }, /must be an integer/],
  ['SubnetLen', { ...N, SubnetLen: -24 }, /must be an integer/],
  ['SubnetMin', { ...N, SubnetMin: '10.3.0.0' }, /must be inside 10.2.0.0\/16/],
  ['SubnetMin', { ...N, SubnetMin: '10.2.3.1' }, /first address of a \/24, such as 10.2.3.0/],
  ['SubnetMin', { ...N, SubnetMin: '10.2.3' }, /must be an IPv4 address/],
  ['SubnetMin', { ...N, SubnetMin: 'fd00::' }, /must be an IPv4 address/],
  ['SubnetMax', { ...N, SubnetMax: '10.1.255.0' }, /must be inside/],
  ['SubnetMax', { ...N, SubnetMax: '10.2.3.128' }, /first address of a \/24/],
  ['SubnetMax', { ...N, SubnetMax: '10.2.0.0' }, /the first subnet, 10.2.1.0, must not come after the last, 10.2.0.0/],
  ['SubnetMax', { ...N, SubnetMin: '10.2.9.0', SubnetMax: '10.2.8.0' }, /must not come after/],
  ['IPv6Network', { ...N, EnableIPv6: true }, /must be an IPv6 network/],
  ['IPv6Network', { ...N, ...SIX, IPv6Network: '10.2.0.0/16' }, /must be an IPv6 network/],
  ['IPv6Network', { ...N, ...SIX, IPv6Network: 'fd00::/125' }, /must be \/124 or larger/],
  ['IPv6Network', { ...N, ...SIX, IPv6Network: 'fe80::/64' }, /addresses a host may have/],
  ['IPv6SubnetLen', { ...N, ...SIX, IPv6SubnetLen: 127 }, /must be an integer from 50 to 126/],
  ['IPv6SubnetLen', { ...N, ...SIX, IPv6SubnetLen: 49 }, /must be an integer from 50 to 126/],
  ['IPv6SubnetMin', { ...N, ...SIX, IPv6SubnetMin: 'fd00:2::1' }, /first address of a \/64/],
  ['IPv6SubnetMax', { ...N, ...SIX, IPv6SubnetMax: 'fd00:3::' }, /must be inside/],
  ['EnableIPv4', { ...N, EnableIPv4: 'true' }, /must be true or false/],
  ['EnableIPv4', { ...N, EnableIPv4: false }, /must be true unless EnableIPv6 is/],
  ['EnableNFTables', { ...N, EnableNFTables: 1 }, /must be true or false/],
  ['Backend', { ...N, Backend: 'vxlan' }, /must be an object/],
  ['Backend', { ...N, Backend: [] }, /must be an object/],
  ['Backend.Type', { ...N, Backend: {} }, /must name a backend/],
  ['Backend.Type', { ...N, Backend: { Type: '' } }, /must name a backend/],
  ['Backend.Type', { ...N, Backend: { Type: 7 } }, /must be a text/],
]

for (const [path, config, rule] of REFUSED) {
  test(`${JSON.stringify(config)} is refused at ${path}`, (t) => {
    const error = refusal(config)
    t.is(error.path, path)
    t.regex(error.rule, rule)
    t.true(error.message.startsWith(`network config: ${path}: `), error.message)
  })
}

test('a value of any shape is refused by its rule, and keys of a family that is off are not read', (t) => {
  const shapes: readonly unknown[] = [{}, { a: 1 }, { 'a.b': { c: null } }, [], [[{}]], JSON.parse('{"__proto__":{}}')]
  for (const shape of shapes) {
    t.regex(refusal({ ...N, Network: shape }).rule, /must be a text/)
    t.regex(refusal({ ...N, SubnetMin: shape }).rule, /must be a text/)
    t.regex(refusal({ ...N, EnableNFTables: shape }).rule, /must be true or false/)
    t.regex(refusal({ ...N, Backend: { Type: shape } }).rule, /must be a text/)
    const vni = JSON.stringify({ ...N, Backend: { ...VXLAN, vni: shape } })
    const { path, rule } = t.throws(() => readConfiguration(vni, BACKENDS), { instanceOf: ConfigError })
    t.deepEqual([path, rule], ['Backend.VNI', 'must be an integer from 1 to 9999999'])
    t.notThrows(() => parseNetworkConfig(JSON.stringify({ ...N, IPv6Network: shape, IPv6SubnetMin: shape })))
    t.notThrows(() => parseNetworkConfig(JSON.stringify({ ...N, ...SIX, EnableIPv4: false, SubnetMin: shape })))
  }
})

test('what is no object is refused', (t) => {
  for (const text of ['[]', 'null', '"x"', '7']) t.regex(refusal(text).rule, /must be an object/)
})

const BROKEN: readonly (readonly [text: string, where: string, expected: RegExp])[] = [
  ['', 'line 1, column 1', /expected a value, but the text ends/],
  ['{', 'line 1, column 2', /a key in double quotes, but the text ends/],
  ['{"Network":"10.2.0.0/16",}', 'line 1, column 26', /a key in double quotes$/],
  ['{\n  "Network": "10.2.0.0/16"\n  "SubnetLen": 24\n}', 'line 3, column 3', /"," or "}"$/],
  ["{'Network': 1}", 'line 1, column 2', /a key in double quotes/],
  ['{"Network": 10.2.0.0/16}', 'line 1, column 17', /"," or "}"/],
  ['{"SubnetLen": 024}', 'line 1, column 16', /"," or "}"/],
  ['{"a": True}', 'line 1, column 7', /a value/],
  ['{"a" 1}', 'line 1, column 6', /":"/],
  ['[1, 2', 'line 1, column 6', /"," or "]", but the text ends/],
  ['{} x', 'line 1, column 4', /the end of the text/],
  ['{"a":"x\ny"}', 'line 1, column 6', /a value/],
]

for (const [text, where, expected] of BROKEN) {
  test(`broken JSON ${JSON.stringify(text)} is refused at ${where}`, (t) => {
    const error = refusal(text)
    t.is(error.path, where)
    t.regex(error.rule, expected)
  })
}

test('a fault is found in exactly the texts that are not JSON', (t) => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }
  const json = fc.json({ maxDepth: 4 })
  const damaged = fc.tuple(json, fc.nat(), fc.nat(3), fc.string({ maxLength: 2 })).map(([text, at, cut, put]) => {
    const place = at % (text.length + 1)
    return text.slice(0, place) + put + text.slice(place + cut)
  })
  const token = fc.constantFrom(
    ...'{}[],:"\\ \n\t01-+.eE'.split(''),
    '"a"',
    'true',
    'null',
    'false',
    '1.5',
    '\\u00',
    '\u0001',
    '\ud800',
  )
  const tokens = fc.array(token, { maxLength: 9 }).map((parts) => parts.join(''))
  const text = fc.oneof(json, damaged, tokens)
  fc.assert(
    fc.property(text, (source) => isJson(source) === (findJsonFault(source) === undefined)),
    { numRuns: 3000 },
  )
  t.pass()
})

test('deeply nested JSON is refused, and does not exhaust the stack', (t) => {
  t.is(findJsonFault('['.repeat(1000))?.column, 1001)
  t.is(findJsonFault('['.repeat(200_000)), undefined)
  t.regex(refusal('['.repeat(MOST_VALUE_BYTES)).rule, /^must be JSON/)
  const nested = `{"Network":"10.2.0.0/16",\n"Deep":${'['.repeat(8000)}${']'.repeat(8000)},"EnableIPv4":0}`
  t.is(refusal(nested).path, 'EnableIPv4')
})

test('comments and trailing commas are not JSON', (t) => {
  for (const [text, column] of [
    ['{} // x', 4],
    ['{/* x */}', 2],
    ['[1,]', 4],
    ['{"a":1,}', 8],
  ] as const)
    t.is(refusal(text).path, `line 1, column ${column}`, text)
})

test('the place of a refused value is named in a text of several lines', (t) => {
  const config = {
    Network: '10.2.0.0/16',
    subnetlen: 24,
    SubnetLen: 31,
    Backend: { Type: 'vxlan', Other: [{ VNI: 5 }], vni: 0 },
  }
  const place = (text: string): string | undefined => {
    const { message } = t.throws(() => readConfiguration(text, BACKENDS), { instanceOf: ConfigError })
    return /^network config: .*: must be an integer from [^(]* \((line \d+, column \d+)\)$/.exec(message)?.[1]
  }
  t.is(place(JSON.stringify(config, null, 2)), 'line 4, column 16')
  t.is(place(JSON.stringify({ ...config, SubnetLen: 24 }, null, 2)), 'line 12, column 12')
  t.is(place(JSON.stringify(config)), undefined)
  t.is(place(`${JSON.stringify(config)}\n`), undefined)
})

test('a config larger than 16 KiB is refused for its size, also when etcd held it and it was not read', (t) => {
  const huge = JSON.stringify({ Network: '10.2.0.0/16', Comment: 'x'.repeat(MOST_VALUE_BYTES) })
  for (const text of [huge, oversizedNote(1_200_000).toString()]) {
    const { message } = t.throws(() => parseNetworkConfig(text), { instanceOf: ConfigError })
    t.regex(
      message,
      /^network config: \(whole\): "(\d{5}|1200000) bytes": must be at most 16384 bytes: more is not read$/,
    )
  }
})

for (const [what, text, line] of [
  [
    'a byte order mark',
    '\ufeff{"Network":"10.2.0.0/16"}',
    /line 1, column 1.*expected a value: an invisible character: U\+FEFF \(a byte order mark\)$/,
  ],
  ['a no-break space', '{\u00a0"Network":"10.2.0.0/16"}', /line 1, column 2.*U\+00A0 \(a no-break space\)$/],
  [
    'typeset quotes',
    '{\u201cNetwork\u201d:"10.2.0.0/16"}',
    /a key in double quotes: \u201c is U\+201C, as word processors set it$/,
  ],
  [
    'a zero width space in a value',
    '{"Network":"10.2.0.0/16\u200b"}',
    /^network config: Network: .*has an invisible character at position 12: U\+200B/,
  ],
  ['a whole text in the quotes of a shell', `'{"Network":"10.2.0.0/16"}'\n`, /: the text is in quotes: remove them$/],
  ['a whole text in quotes', JSON.stringify('{"Network":"10.2.0.0/16"}'), /: the text is in quotes: remove them$/],
  [
    'a quote that JSON has not',
    `{'Network':"10.2.0.0/16"}`,
    /: expected a key in double quotes: JSON has double quotes/,
  ],
  ['a space before a network', '{"Network":" 10.2.0.0/16"}', /Network: .*: has a space at its beginning: take it out$/],
  [
    'a space behind a type',
    '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan "}}',
    /Backend\.Type: .*has a space at its end/,
  ],
  [
    'a number in quotes',
    '{"Network":"10.2.0.0/16","SubnetLen":"24"}',
    /SubnetLen: "24": must be an integer from 18 to 30, without quotes: /,
  ],
  [
    'a boolean in quotes',
    '{"Network":"10.2.0.0/16","EnableNFTables":"true"}',
    /EnableNFTables: "true": must be true or false, without quotes$/,
  ],
] as const) {
  test(`${what} is named`, (t) => {
    t.regex(refusal(text).message, line)
  })
}
