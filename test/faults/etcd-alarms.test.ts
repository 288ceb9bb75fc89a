// etcd's alarms: named, with what to do and the command that clears them, in errors, log, status and doctor.
import test from 'ava'
import { AlarmAction, AlarmType, Etcd3 } from 'etcd3'
import { Conditions } from '../../src/health/conditions.ts'
import type { Alarm } from '../../src/etcd/alarms.ts'
import { watchAlarms } from '../../src/daemon/etcd-alarms.ts'
import { createLog } from '../../src/log.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { etcdFailure, openTestStore } from '../lab/world/store.ts'

for (const [alarm, kind] of [
  ['NOSPACE', AlarmType.Nospace],
  ['CORRUPT', AlarmType.Corrupt],
] as const) {
  test(`the alarm ${alarm}: reported by etcd, and by the error of a call that it forbids`, async (t) => {
    const etcd = await startEtcd(t)
    const store = openTestStore(t, { endpoints: [etcd.url] })
    const write = (): Promise<unknown> => store.commit([], [{ type: 'put', key: '/a', value: '', lease: '0' }])
    t.deepEqual(await store.alarms(), [])
    await write()
    const client = new Etcd3({ hosts: etcd.url })
    t.teardown(() => {
      client.close()
    })
    const { header } = await client.maintenance.status()
    await client.maintenance.alarm({ action: AlarmAction.Activate, memberID: header.member_id, alarm: kind })
    t.deepEqual(await store.alarms(), [alarm])
    const { message } = await etcdFailure(write())
    t.true(message.includes(`alarm ${alarm}: `), message)
    t.true(message.endsWith(`etcdctl --endpoints=${etcd.url} alarm disarm`), message)
    await etcd.etcdctl('alarm disarm')
    t.deepEqual(await store.alarms(), [])
    await write()
  })
}

test('an alarm is a condition until it is cleared, its start and end are each logged once, and silence changes nothing', async (t) => {
  const answers: (readonly Alarm[] | undefined)[] = [
    [],
    ['NOSPACE'],
    ['NOSPACE'],
    undefined,
    ['NOSPACE', 'CORRUPT'],
    [],
  ]
  const told: (readonly string[])[] = []
  const conditions = new Conditions()
  const lines: string[] = []
  const abort = new AbortController()
  const alarms = async (): Promise<readonly Alarm[]> => {
    told.push(conditions.all.map(({ gist, level }) => `${level} ${gist}`))
    if (answers.length === 0) abort.abort()
    const answer = answers.shift()
    if (answer === undefined) throw new Error('no answer')
    return answer
  }
  const log = createLog('test', 0, (line) => lines.push(line))
  await watchAlarms({ alarms }, ['http://a:1', 'http://b:1'], { conditions, log, signal: abort.signal }, 1)
  const [one, both] = ['fault etcd alarm NOSPACE', 'fault etcd alarm NOSPACE, CORRUPT']
  t.deepEqual(told, [[], [], [one], [one], [one], [both], []])
  t.is(lines.length, 3, lines.join(''))
  t.true(lines[0]?.includes('etcdctl --endpoints=http://a:1,http://b:1 alarm disarm'), lines[0])
  t.regex(lines[2] ?? '', /no alarm any more/)
})

test('a full etcd under a running daemon: log, status and doctor name NOSPACE and the command, until it is cleared', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = [await startEtcd(lan, { args: '--quota-backend-bytes=4194304' }), await lan.host(121)]
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  await etcd.run(
    'for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero | tr "\\0" x | etcdctl put fill$i; done || true',
  )
  const command = 'etcdctl --endpoints=http://192.168.19.120:2379 alarm disarm'
  const line = await daemon.line(/alarm NOSPACE/)
  t.true(line.includes(command), line)
  const status = await runVerb(host, 'status')
  t.regex(status.output, /degraded +etcd alarm NOSPACE ·/)
  t.true(status.output.includes(command), status.output)
  t.notRegex(status.output, /does not answer/)
  t.regex((await runVerb(host, `doctor ${ARGS}`)).output, /alarm NOSPACE[^]*alarm disarm/)
  const revision = /"revision":(\d+)/.exec(await etcd.etcdctl('get fill1 -w json'))?.[1] ?? ''
  await etcd.run(`etcdctl del --prefix fill; etcdctl compact ${revision}; etcdctl defrag; etcdctl alarm disarm`)
  await daemon.line(/no alarm any more/)
  await waitFor('status to be whole', async () => (await runVerb(host, 'status')).code === 0)
})
