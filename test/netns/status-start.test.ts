// `flanneld status` from the first moment of the daemon on: what it waits for, with the next command to run; who answers
// when two daemons run, and when one was killed; and when etcd goes away later.
import test from 'ava'
import { BUNDLE, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

/** Waits until status ends with this code and prints something that matches. */
async function becomes(host: Host, code: number, text: RegExp, args = ''): Promise<string> {
  return waitFor(`status ${code} ${text}`, async () => {
    const it = await runVerb(host, `status ${args}`)
    if (it.code === code && text.test(it.stdout)) return it.stdout
    throw new Error(`${it.code} ${it.output}`)
  })
}

test('before there is a lease: broken, with what is missing and what to run', async (t) => {
  const lan = await (await createLab(t)).lan()
  const host = await lan.host(121)
  const daemon = await startFlanneld(host, ARGS)
  const down = await becomes(host, 2, /EHOSTUNREACH|no answer/)
  t.regex(down, /^● broken {3}waiting for etcd · host121 192\.168\.19\.121 · up /)
  t.regex(down, /^ {2}store {4}etcd 0\/1 +no TLS$/m)
  t.regex(
    down,
    /→ etcd: http:\/\/192\.168\.19\.120:2379: .*\. Run: etcdctl --endpoints=http:\/\/192\.168\.19\.120:2379 endpoint health$/m,
  )
  const etcd = await startEtcd(lan)
  const empty = await becomes(host, 2, /no network config/)
  t.regex(empty, /→ no network config: \/docker-test\/network\/config: .* Run: flanneld config set FILE$/m)
  t.regex(empty, /^ {2}store {4}etcd 1\/1/m)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', VNI: 0 } })
  t.regex(
    await becomes(host, 2, /network config refused/),
    /→ network config: Backend\.VNI: 0: .* Run: flanneld config get$/m,
  )
  await etcd.configure({
    Network: '10.2.0.0/16',
    SubnetMin: '10.2.5.0',
    SubnetMax: '10.2.5.0',
    Backend: { Type: 'vxlan' },
  })
  await becomes(host, 0, /^● healthy/)

  const second = await lan.host(122)
  await startFlanneld(second, ARGS)
  t.regex(
    await becomes(second, 2, /no free subnet/),
    /^● broken {3}no lease · [^]*→ no free subnet: .* Run: flanneld leases$/m,
  )
  t.is((await daemon.stop()).code, 0)
})

test('the socket is that of the daemon which had it first; a killed one leaves no answer, the next one takes over', async (t) => {
  const { host } = await createOneHost(t)
  const pid = async (): Promise<unknown> => {
    const { stdout } = await runVerb(host, 'status --json')
    return (JSON.parse(stdout) as { status: { pid?: number } | null }).status?.pid
  }
  const first = await startFlanneld(host, ARGS)
  await becomes(host, 0, /healthy/)
  const its = await pid()
  const stray = await startFlanneld(host, '-iface=nosuch')
  t.is((await stray.exit).code, 1)
  t.is(await pid(), its, 'a daemon that never came up took nothing away')
  const later = await startFlanneld(host, ARGS)
  await later.line(/another daemon answers there/)
  t.is(await pid(), its)
  await first.stop()
  await waitFor('the later one to answer', async () => ![undefined, its].includes((await pid()) as number | undefined))
  later.kill('SIGSTOP')
  const frozen = await runVerb(host, 'status')
  t.is(frozen.code, 2)
  t.regex(frozen.stdout, /^● broken {3}the daemon does not answer\n[^]*Run: journalctl -u flanneld$/m)
  await later.stop('SIGKILL')
  t.is((await runVerb(host, 'status')).code, 3)
  t.is((await runVerb(host, 'peers')).code, 3)
  await startFlanneld(host, ARGS)
  await becomes(host, 0, /healthy/)
})

test('without etcd: degraded, since when and why; when it is back: healthy; -watch shows both', async (t) => {
  const { etcd, host } = await createOneHost(t)
  await startFlanneld(host, ARGS)
  await becomes(host, 0, /watch live/)
  const watch = await host.spawn(`${BUNDLE} status --watch`)
  await watch.line(/^● healthy/)
  await etcd.run('ip link set enp0s3 down')
  const lost = await becomes(host, 1, /etcd unreachable/)
  t.regex(lost, /^ {2}store {4}etcd 0\/1 · rev \d+ · not watched for \d+s/m)
  t.regex(
    lost,
    /→ etcd is not watched for \d+s: etcd: http:\/\/192\.168\.19\.120:2379: .*; forwarding continues\. Run: etcdctl /,
  )
  await watch.line(/^● degraded {3}etcd unreachable/)
  t.is((await watch.stop('SIGINT')).code, 1, 'the status of the last verdict')
  t.false(watch.output().includes('\u001B'), 'no screen, nothing to redraw')
  const screen = await host.spawn(`script -qec '${BUNDLE} status --watch' /dev/null`)
  await screen.line(/● degraded/)
  t.true(screen.output().includes('\u001B[H\u001B[J●'))
  await screen.stop('SIGINT')
  const json = await host.spawn(`${BUNDLE} status --watch --json`)
  await json.line(/"degraded"/)
  await etcd.run('ip link set enp0s3 up')
  await json.line(/"word":"healthy"/)
  t.is((await json.stop('SIGINT')).code, 0)
  for (const line of json.stdout().trim().split('\n')) t.truthy((JSON.parse(line) as { verdict?: object }).verdict)
})
