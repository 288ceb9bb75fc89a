// An etcd that answers everything, but 3 s late: the daemon starts, follows, and every verb has an answer.
import test from 'ava'
import { join } from 'node:path'
import type { LeaseView } from '../../src/view/leases.ts'
import { errors, strays } from '../lab/instruments/log-lines.ts'
import { ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const LATE = 3_000
const LONG = 180_000

test('an etcd that answers 3 s late: ready, peers followed, status calm, leases and doctor answered', async (t) => {
  t.timeout(LONG * 4)
  const lan = await (await createLab(t)).lan()
  const [etcd, host, desk] = [await startEtcd(lan), await lan.host(121), await lan.host(122)]
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const proxy = await etcd.spawn(`${process.execPath} ${join(ROOT, 'test/lab/actors/slow-proxy.ts')} 2479 2379 ${LATE}`)
  await proxy.line(/listening/)
  const args = ARGS.replace(':2379', ':2479')
  const daemon = await startFlanneld(host, args)
  await waitFor('ready', () => / ready: /.test(daemon.output()), LONG).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
  await waitForSubnetEnv(host, daemon)
  await putLeases(etcd, [{ name: '10.2.200.0-24', value: vxlanValue('192.168.19.150', '0a:00:00:00:00:01') }])
  await waitFor('the peer', () => /10\.2\.200\.0\/24 joined/.test(daemon.output()), LONG)
  // The start's own line of silence alone.
  t.true(errors(daemon).length <= 1, daemon.output())
  t.deepEqual(strays(daemon), [])

  const [status, doctor, ...leases] = await Promise.all(
    [
      [host, 'status'] as const,
      [desk, `doctor ${args}`] as const,
      [host, 'leases -json'] as const,
      [desk, `leases -json ${args}`] as const,
    ].map(([asker, words]) => runVerb(asker, words)),
  )
  t.notRegex(status?.output ?? '', /does not answer|member is down|not watched/)
  t.regex(doctor?.output ?? '', /etcd is slow/)
  t.notRegex(doctor?.output ?? '', /no etcd endpoint answers|etcd cannot be read/)
  for (const { code, output, stdout } of leases) {
    t.is(code, 0, output)
    t.is((JSON.parse(stdout) as LeaseView).leases.length, 2)
  }
})
