// Signals that mean something to other daemons, a log without a reader, uncaught faults: the built program, under
// every Node that may run it.
import test, { type ExecutionContext } from 'ava'
import { BUNDLE, BUNDLE_ON_20, ROOT, SINGLE_FILE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const BUILDS = [
  ['the single file', SINGLE_FILE],
  ['Node 24', BUNDLE],
  ['Node 20', BUNDLE_ON_20],
] as const

/** How Node's own messages start. */
const RAW = /^(\(node:|Use `|Debugger|For help|\s+at )/m

async function world(t: ExecutionContext): Promise<{ readonly etcd: EtcdHost; readonly host: Host }> {
  const { etcd, host } = await createOneHost(t)
  return { etcd, host }
}

const listeners = (host: Host): Promise<string> => host.run('ss -Hltn')

for (const [name, program] of BUILDS) {
  test.serial(`signals of other daemons change nothing, open no debugger, and SIGQUIT stops: ${name}`, async (t) => {
    const { host } = await world(t)
    const daemon = await startFlanneld(host, ARGS, program)
    await waitForSubnetEnv(host, daemon)
    await daemon.line(/ ready: /)
    const before = await listeners(host)
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR'] as const) {
      daemon.kill(signal)
      // Node 24 keeps this one from us altogether.
      if (signal !== 'SIGUSR1' || program !== SINGLE_FILE) await daemon.line(new RegExp(`${signal}: ignored`))
      daemon.kill(signal)
    }
    // It is called as people look for it, and the arguments are there too.
    // A program that it starts has its name until exec.
    await waitFor('one process', async () => (await host.run('ps -C flanneld -o comm=')).trim() === 'flanneld')
    t.regex(await host.run('pgrep -ax flanneld'), /^\d+ .*-etcd-prefix=.*\n$/)
    t.regex(await host.run('top -b -n 1'), / flanneld\s*$/m)
    t.is(await listeners(host), before)
    t.notRegex(daemon.output(), RAW)
    t.deepEqual(await daemon.stop('SIGQUIT'), { code: 0, signal: null }, daemon.output())
  })

  test.serial(`SIGUSR1 at any instant of a start leaves no debugger: ${name}`, async (t) => {
    const { host } = await world(t)
    let lived = 0
    for (let instant = 0; instant < 400 && lived < 3; instant += 25) {
      const daemon = await startFlanneld(host, `${ARGS} -subnet-file=/run/flannel/${instant}.env`, program)
      // The instant itself is what is tested here: there is nothing to wait for.
      await new Promise((resolve) => setTimeout(resolve, instant))
      daemon.kill('SIGUSR1')
      const ended = daemon.exit.then(() => 'ended')
      const started = daemon.line(/flanneld \d/).catch(() => 'ended')
      if ((await Promise.race([ended, started])) !== 'ended') {
        await daemon.line(/ is ours/, 60_000)
        await waitFor('no debugger', async () => !(await listeners(host)).includes(':9229'))
        lived++
      }
      await daemon.stop()
    }
    t.true(lived > 0)
  })
}

test.serial('a reader of the log that goes away neither ends nor wedges the daemon', async (t) => {
  const { host, etcd } = await world(t)
  for (const [name, program] of BUILDS) {
    await host.run('rm -rf /run/log /run/flannel; mkfifo /run/log')
    const reader = await host.spawn('head -n 1 /run/log')
    const daemon = await host.spawn(`sh -c 'exec ${program} ${ARGS} 2>/run/log'`)
    await reader.exit
    await waitForSubnetEnv(host, daemon)
    await etcd.etcdctl(
      `put ${PREFIX}/config '${JSON.stringify({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', VNI: 7 } })}'`,
    )
    await waitFor('the new device', () => host.run('ip link show flannel.7'))
    await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
    t.deepEqual(await daemon.stop(), { code: 0, signal: null }, name)
  }
})

test.serial('a full disk behind the log costs lines, and their number is logged', async (t) => {
  const { host } = await world(t)
  await host.run('mkdir /run/small && mount -t tmpfs -o size=8k none /run/small')
  for (const [name, program] of BUILDS) {
    await host.run('rm -rf /run/flannel; : >/run/small/log; head -c 8192 /dev/zero >/run/small/full; true')
    const daemon = await host.spawn(`sh -c 'exec ${program} ${ARGS} 2>>/run/small/log'`)
    await waitForSubnetEnv(host, daemon)
    await host.run('rm /run/small/full')
    daemon.kill('SIGHUP')
    const log = (): Promise<string> => host.run('cat /run/small/log')
    await waitFor('the log', async () => /SIGHUP: ignored/.test(await log()))
    t.regex(await log(), /log: \d+ lines before this one are lost: ENOSPC/, name)
    t.deepEqual(await daemon.stop(), { code: 0, signal: null })
  }
})

test.serial('an uncaught fault is one line and status 1; a warning of Node’s is a line of the log', async (t) => {
  const { host } = await world(t)
  await host.run(
    'cat >/run/faults.cjs',
    `
    process.on('SIGWINCH', () => { throw new TypeError('made by the test') })
    process.on('SIGURG', () => void Promise.reject(new TypeError('made by the test')))
    process.on('SIGCHLD', () => process.emitWarning('as if', 'SomeWarning'))`,
  )
  for (const [name, program] of BUILDS.slice(1)) {
    for (const signal of ['SIGWINCH', 'SIGURG'] as const) {
      const daemon = await host.spawn(`env NODE_OPTIONS=--require=/run/faults.cjs ${program} ${ARGS}`)
      await daemon.line(/ ready: /)
      daemon.kill('SIGCHLD')
      await daemon.line(/^W.* node: SomeWarning: as if/)
      daemon.kill(signal)
      t.deepEqual(await daemon.exit, { code: 1, signal: null }, name)
      const after = daemon
        .output()
        .split('\n')
        .filter((line) => line.includes('made by the test'))
      t.is(after.length, 1)
      t.regex(after[0] ?? '', /^E\d{4} .*TypeError: made by the test/)
      t.notRegex(daemon.output(), RAW)
      t.is(await host.run('ls /run/flannel'), 'subnet.env\n', 'the socket is gone, what is in use is not')
    }
  }
})

test.serial('probing twenty peers for several rounds leads to no warning of Node’s', async (t) => {
  const { host, etcd } = await world(t)
  // Subnets of made-up peers are below SubnetMin.
  await etcd.configure({ Network: '10.0.0.0/8', SubnetMin: '10.254.0.0', Backend: { Type: 'vxlan' } })
  await etcd.run(`${process.execPath} ${ROOT}/bench/fill.ts http://127.0.0.1:2379 ${PREFIX} 20`)
  const daemon = await startFlanneld(host, `${ARGS} -probe-interval=1 -healthz-port=9000`, BUNDLE_ON_20)
  await daemon.line(/ ready: /)
  const probed = async (): Promise<boolean> => {
    const text = await host.run('curl -sS http://127.0.0.1:9000/metrics')
    return Number(/^flannel_peers\{state="unreachable"\} (\d+)/m.exec(text)?.[1]) > 10
  }
  await waitFor('peers that were probed twice', probed, 60_000)
  t.notRegex(daemon.output(), RAW)
  t.notRegex(daemon.output(), / node: /)
  t.deepEqual(await daemon.stop(), { code: 0, signal: null })
})
