// `flanneld events`: what happens on a host is reported as it happens, in words and as JSON, from now, from an id, or so far.
import test, { type ExecutionContext } from 'ava'
import type { HappenedEvent } from '../../src/health/events.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { deleteLeases, putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('events report repairs, peers, config, lease, firewall and etcd, as they happen and afterwards', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  const config = { Network: '10.2.0.0/16', SubnetMax: '10.2.199.0', Backend: { Type: 'vxlan' } }
  await etcd.configure(config)
  await putLeases(etcd, [{ name: '10.2.201.0-24', value: vxlanValue('192.168.19.201', '0a:00:00:00:00:c9') }])
  const host = await lan.host(121)
  const none = await runVerb(host, 'events')
  t.is(none.code, 3)
  t.regex(none.output, /no daemon answers/)

  const daemon = await startFlanneld(host, `${ARGS} -probe-interval=0`)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready:/)
  const follower = await host.spawn(`${BUNDLE} events --follow`)
  await follower.line(/ {3}peer {6}1 peer at the start$/)
  await follower.line(/ {3}ready {5}ready$/)
  await follower.line(/ {3}firewall {2}/)

  await host.run('ip route del 10.2.201.0/24')
  await follower.line(
    / {3}repair {4}route 10\.2\.201\.0\/24 deleted by another program: repaired \(found by notification\)$/,
  )
  await host.run('iptables -F FLANNEL-FWD')
  await follower.line(/ {3}firewall {2}firewall: IPv4: rules restored$/)
  await host.run('nft delete table inet flannel-guard-1')
  await follower.line(/ {3}firewall {2}guard: changed by another process: repaired$/)
  await putLeases(etcd, [{ name: '10.2.202.0-24', value: vxlanValue('192.168.19.202', '0a:00:00:00:00:ca') }])
  await follower.line(/ {3}peer {6}10\.2\.202\.0\/24 joined: vxlan 192\.168\.19\.202$/)
  await deleteLeases(etcd, ['10.2.202.0-24'])
  await follower.line(/ {3}peer {6}10\.2\.202\.0\/24 left/)
  await putLeases(etcd, [{ name: '10.2.203.0-24', value: '{"PublicIP":"nonsense"}' }])
  await follower.line(/ ! peer {6}lease refused: .*10\.2\.203\.0-24: public-ip/)
  await etcd.configure({ Network: '10.3.0.0/16', Backend: { Type: 'vxlan' } })
  await follower.line(/ ! config {4}network config: Network: 10\.3\.0\.0\/16 does not contain our subnet/)
  await deleteLeases(etcd, [own.replace('.1/', '.0-')])
  await follower.line(/ ! ready {5}not ready: lease: key deleted$/)
  await follower.line(/ {3}lease {5}lease of .* written again: key deleted$/)
  await etcd.run('ip link set enp0s3 down')
  await follower.line(/ ! store {5}etcd: http:\/\/192\.168\.19\.120:2379: .*; forwarding continues$/)
  await etcd.run('ip link set enp0s3 up')
  await follower.line(/ {3}store {5}etcd is back$/)

  const kept = await runVerb(host, 'events --json')
  t.is(kept.code, 0)
  const events = eventsIn(kept.stdout)
  const ids = events.map(({ id }) => id)
  t.deepEqual(
    ids,
    Array.from(ids, (_, n) => n + 1),
  )
  await asksTheSocket(t, host, events)

  t.is((await follower.stop('SIGINT')).code, 0)
  const last = await host.spawn(`${BUNDLE} events --follow`)
  await last.line(/repair/)
  await daemon.stop()
  t.is((await last.exit).code, 3)
  t.regex(last.output(), /the daemon has stopped$/m)
})

/** What --json prints: an event a line. */
function eventsIn(text: string): readonly HappenedEvent[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as HappenedEvent)
}

/** The socket answers from an id on, and says so when the id is none. */
async function asksTheSocket(t: ExecutionContext, host: Host, events: readonly HappenedEvent[]): Promise<void> {
  const repair = events.find(({ kind }) => kind === 'repair')
  const socket = 'curl -sN --unix-socket /run/flannel/flanneld.sock'
  const since = JSON.parse(
    await host.run(`${socket} 'http://localhost/v1/events?follow=false&since=${repair?.id ?? 0}'`),
  ) as readonly HappenedEvent[]
  t.is(since[0]?.id, (repair?.id ?? 0) + 1)
  t.like(JSON.parse(await host.run(`${socket} 'http://localhost/v1/events?since=x'`)), {
    error: "since: x: not an event's id",
  })
}
