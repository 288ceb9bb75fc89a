import test from 'ava'
import { parseOptions } from '../../src/options/parse.ts'
import { variableOf } from '../../src/options/table.ts'
import { refusal } from '../fake/command-line.ts'

const BAD: readonly (readonly [flag: string, value: string, rule: RegExp])[] = [
  ['healthz-port', '65536', /must be an integer from 0 to 65535/],
  ['healthz-port', '-1', /must be an integer/],
  ['healthz-port', 'http', /must be an integer/],
  ['subnet-lease-renew-margin', '0', /must be an integer from 1 to 1439/],
  ['subnet-lease-renew-margin', '1440', /must be an integer from 1 to 1439/],
  ['iptables-resync', '0', /must be an integer from 1/],
  ['iptables-resync', '5s', /must be an integer from 1/],
  ['audit-interval', '0', /must be an integer from 1/],
  ['v', 'info', /must be an integer/],
  ['ip-masq', 'yes', /must be true or false/],
  ['wireguard-go', '/usr/bin/', /must be the path of a file/],
  ['nexthop-objects', 'Auto', /must be one of auto, always, never/],
  ['on-subnet-conflict', 'steal', /must be one of new, wait/],
  ['iface-regex', '(', /must be a regular expression: /],
  ['public-ip', '010.0.0.1', /must be an IP address/],
  ['public-ip', '2001:db8::1', /must be an IPv4 address/],
  ['public-ip', '127.0.0.1', /other hosts can reach/],
  ['public-ip', '0.0.0.0', /other hosts can reach/],
  ['public-ip', '239.1.1.1', /other hosts can reach/],
  ['public-ipv6', '192.0.2.1', /must be an IPv6 address/],
  ['public-ipv6', 'fe80::1', /other hosts can reach/],
  ['iface-can-reach', 'etcd.example', /must be an IP address/],
  ['healthz-ip', 'localhost', /must be an IP address/],
  ['subnet-file', '/run/flannel/', /path of a file/],
  ['subnet-file', '', /path of a file/],
  ['etcd-prefix', '/', /path of a key/],
  ['etcd-endpoints', '', /at least one URL/],
  ['etcd-endpoints', 'unix:///run/etcd', /beginning with http:\/\/ or https:\/\//],
  ['etcd-endpoints', 'etcd', /did you mean etcd:2379\?/],
  ['etcd-endpoints', 'etcd:99999', /port from 1 to 65535/],
  ['etcd-endpoints', 'http://a:99999', /port from 1 to 65535/],
  ['etcd-endpoints', 'http://a:2379/coreos.com', /-etcd-prefix/],
]

for (const [flag, value, rule] of BAD) {
  test(`-${flag} "${value}" is refused, naming flag or variable, value and rule`, (t) => {
    const message = refusal([`-${flag}`.concat(`=${value}`)])
    t.true(message.startsWith(`-${flag}: ${JSON.stringify(value)}: `), message)
    t.regex(message, rule)
    if (value !== '') t.true(refusal([], { [variableOf(flag)]: value }).startsWith(`${variableOf(flag)}: `))
  })
}

test('no refusal repeats a password', (t) => {
  const secret = 'hunter2'
  const lines = [
    refusal([`-etcd-password=${secret}`]),
    refusal([`-etcd-endpoints=http://me:${secret}@a:2379`]),
    refusal([`-etcd-endpoints=http://me:${secret}@a:2379,https://b`]),
    refusal([`-etcd-endpoints=http://a:2379/?${'x'.repeat(3)}`, `-etcd-password=${secret}`]),
    refusal([`-etcd-pasword=${secret}`]),
  ]
  for (const line of lines) t.false(line.includes(secret), line)
})

test('the page is served on the health port, so needs one', (t) => {
  t.is(refusal(['-healthz-page']), '-healthz-page: needs -healthz-port too')
  t.is(refusal([], { FLANNELD_HEALTHZ_PAGE: 'true' }), 'FLANNELD_HEALTHZ_PAGE: needs -healthz-port too')
  const read = parseOptions(['-healthz-port=9000'], { FLANNELD_HEALTHZ_PAGE: 'true' })
  t.true(read.kind === 'run' && read.options.healthzPage)
})

test('a certificate needs its key, a user name its password, and vice versa', (t) => {
  t.is(refusal(['-etcd-certfile=/c.pem']), '-etcd-certfile: needs -etcd-keyfile too')
  t.is(refusal([], { FLANNELD_ETCD_KEYFILE: '/k.pem' }), 'FLANNELD_ETCD_KEYFILE: needs -etcd-certfile too')
  t.is(refusal(['-etcd-username=u']), '-etcd-username: needs -etcd-password too')
  t.is(refusal(['-etcd-password=p']), '-etcd-password: needs -etcd-username too')
  const read = parseOptions(['-etcd-username=u', '-etcd-endpoints=https://a', '-etcd-certfile=c', '-etcd-keyfile=k'], {
    FLANNELD_ETCD_PASSWORD: 'p',
  })
  if (read.kind !== 'run') return t.fail()
  const { options } = read
  t.deepEqual(
    [options.etcdUsername, options.etcdPassword, options.etcdCertfile, options.etcdKeyfile],
    ['u', 'p', 'c', 'k'],
  )
})
