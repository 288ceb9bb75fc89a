// Bad input that no waiting repairs: one line that says what is wrong and what to do, and an end that is not status 0.
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { errors, strays } from '../lab/instruments/log-lines.ts'
import { BUNDLE, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, type Lab, createLab } from '../lab/world/lab.ts'

const test = anyTest as TestFn<{ lab: Lab; host: Host }>

test.before(async (t) => {
  // Closed by the hook below.
  const lab = await createLab({ teardown: () => undefined })
  t.context = { lab, host: await (await lab.lan()).host(121) }
})
test.after.always((t) => t.context.lab.close())

/**
 * A daemon that gives up within 5 s (2 s where the machine has nothing else to do) and says why in one line that has all
 * of `named` in it.
 */
async function givesUp(
  t: ExecutionContext<{ host: Host }>,
  args: string,
  named: readonly (string | RegExp)[],
  program = BUNDLE,
): Promise<void> {
  const { host } = t.context
  const daemon = await startFlanneld(host, args, program)
  const late = setTimeout(() => {
    daemon.kill('SIGKILL')
  }, 60_000)
  const { code, signal } = await daemon.exit
  clearTimeout(late)
  t.is(signal, null, daemon.output())
  t.not(code, 0)
  const said = errors(daemon)
  t.is(said.length, 1, daemon.output())
  for (const what of named)
    t.true(typeof what === 'string' ? said[0]?.includes(what) : what.test(said[0] ?? ''), said[0])
  t.deepEqual(strays(daemon), [])
}

const NOWHERE = '-etcd-endpoints=http://127.0.0.1:9'
for (const [what, args, ...named] of [
  ['an interface that is not there', '-iface=eth9', '"eth9"', 'enp0s3 (192.168.19.121)'],
  ['an address that is not ours', '-iface=10.9.9.9', '10.9.9.9', 'enp0s3 (192.168.19.121)'],
  ['an expression that matches no interface', '-iface-regex=^wlan', '"^wlan"', 'enp0s3'],
  ['an expression that is none', '-iface-regex=[a', '-iface-regex', 'regular expression'],
  ['an address there is no route to', '-iface-can-reach=8.8.8.8', 'no route to 8.8.8.8'],
  ['no interface named and no default route', NOWHERE, 'no default route', '-iface'],
  ["a public address that is no host's", '-public-ip=224.0.0.1', '-public-ip', '224.0.0.1', 'multicast'],
  ['an unknown flag', '-etcd-endpoint=http://127.0.0.1:9', '-etcd-endpoint:', 'did you mean -etcd-endpoints?'],
  ['an unknown word', 'start', '"start"', 'neither a flag nor a command'],
  ['a boolean with its value apart', '-ip-masq false', '-ip-masq=false'],
  ['a flag without its value', '-iface', '-iface: needs a value'],
  ['a port out of range', '-healthz-port=70000', '-healthz-port', '70000', '0 to 65535'],
  ["a port of etcd's out of range", '-etcd-endpoints=http://127.0.0.1:70000', '127.0.0.1:70000', '1 to 65535'],
  ['an endpoint without a port', '-etcd-endpoints=10.0.0.1', 'did you mean 10.0.0.1:2379?'],
  ['a margin out of range', '-subnet-lease-renew-margin=0', '-subnet-lease-renew-margin', '1 to 1439'],
  ['an address for health checks that is not ours', '-healthz-ip=10.9.9.9 -healthz-port=90', '10.9.9.9:90', 'listen'],
  ['Kubernetes', '-kube-subnet-mgr', '-kube-subnet-mgr', 'not supported yet'],
  ['a user without a password', '-etcd-username=root', '-etcd-username', '-etcd-password'],
  [
    'a CA file that is not there',
    '-iface=enp0s3 -etcd-endpoints=https://127.0.0.1:9 -etcd-cafile=/run/none.pem',
    'etcd-cafile',
    '/run/none.pem',
    'no such file',
  ],
  [
    'a CA file that is no certificate',
    '-iface=enp0s3 -etcd-endpoints=https://127.0.0.1:9 -etcd-cafile=/etc/passwd',
    'etcd-cafile',
    '/etc/passwd',
    'not a certificate',
  ],
  [
    'a certificate without its key',
    '-iface=enp0s3 -etcd-endpoints=https://127.0.0.1:9 -etcd-certfile=/etc/passwd',
    '-etcd-certfile',
    '-etcd-keyfile',
  ],
] as const) {
  test.serial(`${what} ends the start with a line that names it`, (t) => givesUp(t, args, named))
}

test.serial('without CAP_NET_ADMIN: says what the unit has to give', (t) =>
  givesUp(
    t,
    '-iface=enp0s3',
    ['uid 65534', 'CAP_NET_ADMIN', 'root', 'AmbientCapabilities='],
    `setpriv --reuid nobody --regid nogroup --clear-groups ${BUNDLE}`,
  ),
)

test.serial('a password is in no line, wherever it is given', async (t) => {
  const secret = 'geheim-4711'
  for (const args of [
    `-etcd-endpoints=http://root:${secret}@127.0.0.1:9`,
    `-etcd-password=${secret}`,
    `-etcd-username=root -etcd-password=${secret} -iface=eth9`,
    `-etcd-password=${secret} -nonsense`,
    `--etcd-password=${secret} -etcd-endpoints=ftp://root:${secret}@x:1`,
    `-etcd-endpoints=root:${secret}@x:1`,
    `-etcd-endpoints=http://root:a/,${secret},@x:1`,
  ]) {
    const daemon = await startFlanneld(t.context.host, args)
    t.not((await daemon.exit).code, 0)
    t.false(daemon.output().includes(secret), daemon.output())
  }
})
