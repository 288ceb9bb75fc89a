// What is almost an option: flags of other programs, names close to ours, texts with invisible characters.
import test from 'ava'
import { parseOptions } from '../../src/options/parse.ts'
import { usage } from '../../src/options/usage.ts'
import { variableOf } from '../../src/options/table.ts'
import { optionsOf, refusal, warningsOf } from '../fake/command-line.ts'

test('flags of klog and glog in old units are accepted; only those that would redirect the log are reported, in one line', (t) => {
  const usual = [
    '-logtostderr',
    '-alsologtostderr=true',
    '-stderrthreshold=INFO',
    '--skip_headers',
    '-log_file_max_size=1',
  ]
  t.deepEqual(warningsOf(usual), [])
  t.deepEqual(
    warningsOf(['-log_dir=/var/log', '-logtostderr=false', '-log_file', '/x', '-one_output', '-add_dir_header']),
    ['-logtostderr, -log_dir, -log_file: accepted, but without effect: the log goes to stderr'],
  )
  t.deepEqual(warningsOf([], { FLANNELD_LOG_DIR: '/x' }), [])
  t.regex(usage(), /^Flags of klog are accepted without effect: -logtostderr, [^\n]*-one_output\.$/m)
})

for (const [what, args, urls] of [
  ['no scheme: plain', ['-etcd-endpoints=10.0.0.1:2379,[fd00::1]:2379/'], 'http://10.0.0.1:2379,http://[fd00::1]:2379'],
  ['no scheme, but an authority: TLS', ['-etcd-endpoints=Etcd:2379', '-etcd-cafile=/ca'], 'https://etcd:2379'],
  [
    'a plain one first: plain, whatever files there are',
    ['-etcd-endpoints=http://a:1,b:1', '-etcd-cafile=/ca'],
    'http://a:1,http://b:1',
  ],
  [
    'https first: TLS for all, as in Go',
    ['-etcd-endpoints=https://a:1,http://b:1,c:1'],
    'https://a:1,https://b:1,https://c:1',
  ],
  ['https after http stays https', ['-etcd-endpoints=http://a:1,https://b:1,c:1'], 'http://a:1,https://b:1,http://c:1'],
] as const) {
  test(`endpoints: ${what}`, (t) => t.is(optionsOf(args).etcdEndpoints.join(), urls))
}

test('plain endpoints next to TLS ones are warned about', (t) => {
  t.deepEqual(warningsOf(['-etcd-endpoints=http://a:1,https://b:1']), [
    '-etcd-endpoints: http://a:1,https://b:1: http and https: what goes to http can be read',
  ])
})

test('variables with names close to ours are reported, unless a flag came of them or they belong to subnet.env', (t) => {
  const env = {
    FLANNEL_ETCD_ENDPOINTS: 'http://10.0.0.1:2379',
    FLANNEL_ETCD_KEY: '/x',
    FLANELD_IP_MASQ: 'true',
    flanneld_iface: 'eth0',
    'FLANNELD-PUBLIC-IP': '10.0.0.1',
    FLANNEL_SUBNET: '10.2.1.1/24',
    FLANNEL_MTU: '1450',
    FLANNEL_VERSION: '1',
    FLANNELD_ETCD_ENDPOINT: 'http://10.0.0.1:2379',
  }
  t.deepEqual(warningsOf([], env), [
    'FLANNEL_ETCD_ENDPOINTS: is not read, did you mean FLANNELD_ETCD_ENDPOINTS?',
    'FLANNEL_ETCD_KEY: is not read, did you mean FLANNELD_ETCD_PREFIX?',
    'FLANELD_IP_MASQ: is not read, did you mean FLANNELD_IP_MASQ?',
    'flanneld_iface: is not read, did you mean FLANNELD_IFACE?',
    'FLANNELD-PUBLIC-IP: is not read, did you mean FLANNELD_PUBLIC_IP?',
    'FLANNELD_ETCD_ENDPOINT: names no option, did you mean FLANNELD_ETCD_ENDPOINTS?',
  ])
  t.deepEqual(warningsOf(['-etcd-prefix=/y'], { FLANNEL_ETCD_KEY: '/x', FLANNEL_ETCD_PREFIX: '/y' }), [])
})

const ODD: readonly (readonly [what: string, flag: string, value: string, rule: RegExp])[] = [
  ['quotes', 'etcd-endpoints', '"http://10.0.0.1:2379"', /begins with the quote ": it is part of the value/],
  [
    'a byte order mark',
    'etcd-endpoints',
    '\ufeffhttp://10.0.0.1:2379',
    /an invisible character at position 1: U\+FEFF \(a byte order mark\)/,
  ],
  ['single quotes', 'etcd-prefix', "'/coreos.com/network'", /begins with the quote '/],
  ['a carriage return', 'etcd-prefix', '/coreos.com/network\r', /U\+000D \(a carriage return/],
  ['a zero width space', 'etcd-prefix', '/coreos.com/net\u200bwork', /U\+200B/],
  ['a no-break space', 'iface', 'eth0\u00a0', /at position 5: U\+00A0 \(a no-break space\)/],
  ['typeset quotes', 'etcd-cafile', '\u201c/ca.pem\u201d', /begins with the quote \u201c/],
]

for (const [what, flag, value, rule] of ODD) {
  test(`${what} in -${flag} or its variable is named`, (t) => {
    const message = refusal([`-${flag}=${value}`])
    t.true(message.startsWith(`-${flag}: `), message)
    t.regex(message, rule)
    t.true(refusal([], { [variableOf(flag)]: value }).startsWith(`${variableOf(flag)}: `))
  })
}

test('a list of endpoints folded over lines, and what has no effect, are taken as they come', (t) => {
  const folded = ' http://10.0.0.1:2379,\n  http://10.0.0.2:2379\t,http://10.0.0.3:2379\r\n'
  const urls = ['1', '2', '3'].map((n) => `http://10.0.0.${n}:2379`)
  for (const run of [
    parseOptions([`-etcd-endpoints=${folded}`], {}),
    parseOptions([], { FLANNELD_ETCD_ENDPOINTS: folded }),
  ])
    t.deepEqual(run.kind === 'run' && run.options.etcdEndpoints, urls)
  for (const flag of ['vmodule', 'log_backtrace_at'])
    for (const text of ['"main=2"', 'main=2\n', '']) t.is(parseOptions([`-${flag}=${text}`], {}).kind, 'run')
  t.regex(refusal(['-etcd-endpoints=http://10.0.0.1:\n2379']), /U\+000A \(a line break\)/)
})

test('a dash as word processors set it is named where a flag was meant', (t) => {
  t.regex(refusal(['\u2013etcd-prefix=/x']), /\u2013 is U\+2013, as word processors set it: write -$/)
})

test('a password may start with a quote and contain anything', (t) => {
  const asked = parseOptions(['-etcd-username=me'], { FLANNELD_ETCD_PASSWORD: '"\u200b' })
  t.is(asked.kind === 'run' ? asked.options.etcdPassword : undefined, '"\u200b')
})
