import test from 'ava'
import { type Options, parseOptions } from '../../src/options/parse.ts'
import { UsageError } from '../../src/options/go-flags.ts'
import { usage, VERB_NAMES } from '../../src/options/usage.ts'
import { ROWS, variableOf } from '../../src/options/table.ts'
import { optionsOf, refusal, warningsOf } from '../fake/command-line.ts'

test("without options, Go's defaults apply, and ours for options of our own", (t) => {
  t.deepEqual(optionsOf([]), {
    etcdEndpoints: ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
    etcdPrefix: '/coreos.com/network',
    etcdKeyfile: undefined,
    etcdCertfile: undefined,
    etcdCafile: undefined,
    etcdUsername: undefined,
    etcdPassword: undefined,
    iface: [],
    ifaceRegex: [],
    ifaceCanReach: undefined,
    publicIp: undefined,
    publicIpv6: undefined,
    subnetFile: '/run/flannel/subnet.env',
    subnetLeaseRenewMargin: 60,
    onSubnetConflict: 'new',
    forceNetworkOverlap: false,
    ipMasq: false,
    ipMasqFullyRandomDisable: false,
    iptablesForwardRules: true,
    iptablesResync: 5,
    ipBlackholeRoute: true,
    vxlanGuard: true,
    vxlanGuardAllow: [],
    nexthopObjects: 'auto',
    wireguardGo: undefined,
    auditInterval: 10,
    probeInterval: 5,
    healthzIp: '0.0.0.0',
    healthzPort: 0,
    healthzPage: false,
    healthzAllowedHosts: [],
    kubeSubnetMgr: false,
    kubeApiUrl: undefined,
    kubeAnnotationPrefix: 'flannel.alpha.coreos.com',
    kubeconfigFile: undefined,
    netConfigPath: '/etc/kube-flannel/net-conf.json',
    setNodeNetworkUnavailable: true,
    verbosity: 0,
    vmodule: undefined,
    logBacktraceAt: undefined,
  } as unknown as Options)
})

test("the tutorial's command line is read", (t) => {
  const options = optionsOf([
    '-etcd-endpoints=http://192.168.19.120:2379',
    '-iface=enp0s3',
    '-etcd-prefix=/docker-test/network',
  ])
  t.deepEqual(options.etcdEndpoints, ['http://192.168.19.120:2379'])
  t.deepEqual(options.iface, ['enp0s3'])
  t.is(options.etcdPrefix, '/docker-test/network')
})

// A good value other than the default for every flag that is carried out, with what it becomes.
const SAMPLES: Partial<Record<keyof Options, readonly [text: string, value: unknown]>> = {
  etcdEndpoints: ['https://a:1,https://b:2', ['https://a:1', 'https://b:2']],
  etcdPrefix: ['/other/', '/other'],
  etcdCafile: ['/ca.pem', '/ca.pem'],
  iface: ['eth7', ['eth7']],
  ifaceRegex: ['^eth', ['^eth']],
  ifaceCanReach: ['10.0.0.1', '10.0.0.1'],
  publicIp: ['203.0.113.7', '203.0.113.7'],
  publicIpv6: ['2001:DB8::7', '2001:db8::7'],
  subnetFile: ['/tmp/x.env', '/tmp/x.env'],
  subnetLeaseRenewMargin: ['5', 5],
  onSubnetConflict: ['wait', 'wait'],
  forceNetworkOverlap: ['true', true],
  ipMasq: ['1', true],
  ipMasqFullyRandomDisable: ['t', true],
  iptablesForwardRules: ['false', false],
  iptablesResync: ['30', 30],
  ipBlackholeRoute: ['0', false],
  vxlanGuard: ['F', false],
  vxlanGuardAllow: ['203.0.113.7, 198.51.100.0/28', ['203.0.113.7/32', '198.51.100.0/28']],
  nexthopObjects: ['never', 'never'],
  wireguardGo: ['/usr/bin/wireguard-go', '/usr/bin/wireguard-go'],
  auditInterval: ['3', 3],
  probeInterval: ['0', 0],
  healthzIp: ['127.0.0.1', '127.0.0.1'],
  healthzPort: ['8080', 8080],
  healthzAllowedHosts: ['A.example,.b.example', ['a.example', '.b.example']],
  verbosity: ['2', 2],
}

// These need a partner and are tested on their own.
const PAIRED: ReadonlySet<string> = new Set([
  'etcdKeyfile',
  'etcdCertfile',
  'etcdUsername',
  'etcdPassword',
  'healthzPage',
])

for (const row of ROWS) {
  const sample = SAMPLES[row.name]
  if (sample === undefined) {
    test(`-${row.flag} is paired or unsupported, or has a sample in this test`, (t) => {
      t.true(PAIRED.has(row.name) || row.unsupported !== undefined)
    })
    continue
  }
  const [text, value] = sample
  test(`-${row.flag} is read from a flag and from ${variableOf(row.flag)}, and the flag beats the variable`, (t) => {
    t.deepEqual(optionsOf([`-${row.flag}=${text}`])[row.name], value)
    t.deepEqual(optionsOf([], { [variableOf(row.flag)]: text })[row.name], value)
    t.deepEqual(
      optionsOf([`--${row.flag}=${text}`], { [variableOf(row.flag)]: 'such a value is never good: (' })[row.name],
      value,
    )
    t.notDeepEqual(value, row.default)
  })
}

test('an empty variable is none, an empty flag of an optional text is none', (t) => {
  t.is(optionsOf([], { FLANNELD_HEALTHZ_PORT: '', FLANNELD_IP_MASQ: '' }).healthzPort, 0)
  const options = optionsOf(['-iface=', '-public-ip=', '-iface-regex', '', '-etcd-cafile='], { FLANNELD_IFACE: 'eth0' })
  t.deepEqual([options.iface, options.publicIp, options.ifaceRegex, options.etcdCafile], [[], undefined, [], undefined])
})

test('-iface and -iface-regex gather, any other flag given twice counts the last time', (t) => {
  const options = optionsOf(['-iface=a', '-iface-regex=x', '-iface', 'b', '-iface-regex=y', '-v=1', '-v=2'], {
    FLANNELD_IFACE: 'c',
  })
  t.deepEqual([options.iface, options.ifaceRegex, options.verbosity], [['a', 'b'], ['x', 'y'], 2])
})

test('endpoints lose blanks, doubles and a trailing slash, and always have a port', (t) => {
  const text = ' http://a:2379/ , http://a:2379,http://[2001:DB8::1]:2379,http://b:80,http://c,'
  t.deepEqual(optionsOf(['-etcd-endpoints', text]).etcdEndpoints, [
    'http://a:2379',
    'http://[2001:db8::1]:2379',
    'http://b:80',
    'http://c:80',
  ])
  t.deepEqual(optionsOf(['-etcd-endpoints=https://a']).etcdEndpoints, ['https://a:443'])
})

test('TLS files with plain endpoints are warned about', (t) => {
  t.deepEqual(warningsOf(['-etcd-cafile=/ca.pem']), [
    '-etcd-cafile: has no effect: the endpoints are http://, not https://',
  ])
  t.deepEqual(warningsOf(['-etcd-cafile=/ca.pem', '-etcd-endpoints=https://a']), [])
})

test('Kubernetes flags are known, and refused in one line when used', (t) => {
  t.is(
    refusal(['-kube-subnet-mgr']),
    '-kube-subnet-mgr: true: Kubernetes is not supported yet: leases are kept in etcd',
  )
  for (const flag of ['kube-api-url', 'kube-annotation-prefix', 'kubeconfig-file', 'net-config-path']) {
    t.regex(refusal([`-${flag}=x`]), /^-[a-z-]+: "x": Kubernetes is not supported yet/)
  }
  t.regex(
    refusal([], { FLANNELD_SET_NODE_NETWORK_UNAVAILABLE: 'false' }),
    /^FLANNELD_SET_NODE_NETWORK_UNAVAILABLE: false: Kub/,
  )
  t.false(optionsOf(['-kube-subnet-mgr=false', '-set-node-network-unavailable=true']).kubeSubnetMgr)
})

test("klog's other flags are accepted and warned about", (t) => {
  t.deepEqual(warningsOf(['-vmodule=lease=2', '-log_backtrace_at=x:1']), [
    '-vmodule: accepted, but has no effect here',
    '-log_backtrace_at: accepted, but has no effect here',
  ])
})

test('a FLANNELD_ variable that names no option is warned about, with the nearest', (t) => {
  t.deepEqual(warningsOf([], { FLANNELD_IFAEC: 'eth0', PATH: '/bin' }), [
    'FLANNELD_IFAEC: names no option, did you mean FLANNELD_IFACE?',
  ])
})

test('-help, --help and -h print the usage, -version the version, whatever else is given', (t) => {
  for (const flag of ['-help', '--help', '-h']) {
    t.deepEqual(parseOptions(['-healthz-port=x', flag], {}), { kind: 'help', text: usage() })
  }
  t.deepEqual(parseOptions(['--version', '-v=x'], {}), { kind: 'version' })
})

test('the usage lists every flag once, with default and unit', (t) => {
  const text = usage()
  for (const row of ROWS) t.is(text.match(new RegExp(`^  -${row.flag}( |$)`, 'gm'))?.length, 1, row.flag)
  t.regex(text, /-subnet-lease-renew-margin int\n {4}\t[^\n]*in minutes[^\n]*\(default 60\)\n/)
  t.regex(text, /-iptables-resync int\n {4}\t[^\n]*in seconds[^\n]*\(default 5\)\n/)
  t.regex(text, /-ip-blackhole-route\n {4}\t[^\n]*\(default true\)\n/)
  t.regex(text, /-etcd-endpoints URLs\n[^\n]*\(default http:\/\/127.0.0.1:4001,http:\/\/127.0.0.1:2379\)\n/)
})

test('the usage lists every verb once, in one line', (t) => {
  const text = usage()
  for (const verb of VERB_NAMES) t.is(text.match(new RegExp(`^  ${verb} +\\S`, 'gm'))?.length, 1, verb)
})

test('a verb takes the words after it, and the flags before it, undecoded', (t) => {
  t.deepEqual(parseOptions(['cleanup'], {}), { kind: 'verb', verb: 'cleanup', args: [] })
  t.deepEqual(parseOptions(['-etcd-prefix', '/x', 'docker-opts', '-f', 'a', '-c'], {}), {
    kind: 'verb',
    verb: 'docker-opts',
    args: ['-etcd-prefix', '/x', '-f', 'a', '-c'],
  })
})

test('any other word is an error that says what was meant', (t) => {
  t.throws(() => parseOptions(['claenup'], {}), { instanceOf: UsageError, message: /did you mean cleanup\?/ })
  t.regex(refusal(['-ip-masq', 'false']), /"false": .*: -ip-masq=false$/)
  t.throws(() => parseOptions(['eth0'], {}), {
    instanceOf: UsageError,
    message: 'argument: "eth0": neither a flag nor a command',
  })
})

test('every default is a value of its own format, and every format refuses what is of no type it knows', (t) => {
  for (const row of ROWS) {
    t.notThrows(() => {
      row.format.validate(row.default)
    }, row.flag)
    t.throws(() => {
      row.format.validate({})
    }, undefined)
  }
})

test('options do not share state: one parse leaves nothing to the next', (t) => {
  optionsOf(['-iface=a', '-v=3'], { FLANNELD_ETCD_PREFIX: '/x' })
  t.deepEqual([optionsOf([]).iface, optionsOf([]).verbosity, optionsOf([]).etcdPrefix], [[], 0, '/coreos.com/network'])
})
