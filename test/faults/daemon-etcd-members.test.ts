// Three members of etcd, of which one fails in every way: the daemon stays with the others and misses nothing.
import test, { type ExecutionContext } from 'ava'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { createLab, type Host } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startThreeEtcds } from '../lab/world/etcd.ts'

const owner = fileOwner()
let members: readonly EtcdHost[]
let host: Host
let daemon: Running
let next = 30

test.before(async () => {
  const lan = await (await createLab(owner)).lan()
  ;[members, host] = await Promise.all([startThreeEtcds(lan, { config: CONFIG }), lan.host(121)])
  daemon = await startFlanneld(host, argsFor(...members))
  await waitForSubnetEnv(host, daemon)
  await putPeer(at(0), 29)
  await waitForPeer(host, 29, true)
})

function at(n: number): EtcdHost {
  const member = members[n]
  if (member === undefined) throw new RangeError(`member ${n}`)
  return member
}

/** Breaks each member in turn, so that the one that serves is among them, and sees a new peer every time. */
async function survives(
  t: ExecutionContext,
  fault: string,
  breaks: (member: EtcdHost) => Promise<void> | void,
  repairs: (member: EtcdHost) => Promise<void> | void,
): Promise<void> {
  const watched = await watchTraffic(host, daemon)
  let longest = 0
  const from = next
  for (const member of members) {
    const other = members.find((it) => it !== member) ?? at(0)
    await breaks(member)
    try {
      // A new leader may have to be found before anything can be written.
      await waitFor('a write', () => putPeer(other, next).then(() => true))
      longest = Math.max(longest, await waitForPeer(host, next, true))
    } finally {
      await repairs(member)
    }
    next++
  }
  for (let n = from; n < next; n++)
    t.is(countMatches(watched.lines(), new RegExp(`peer 10\\.2\\.${n}\\.0/24 joined`)), 1)
  t.is(countMatches(watched.lines(), /peer .* (left|changed)/), 0)
  t.true(watched.cpu() < 10, `${watched.cpu().toFixed(1)}% of a core`)
  await record({ fault, promise: 'nothing missed, nothing doubled', ms: Math.round(longest), test: t.title })
  watched.assertQuiet(t, 20)
}

test.serial('each of three members killed in turn: nothing missed, nothing doubled, nothing withdrawn', (t) =>
  survives(
    t,
    'one of three etcd members killed',
    (member) => member.kill(),
    (member) => member.start(),
  ),
)

test.serial('each of three members frozen in turn: nothing missed, nothing doubled, nothing withdrawn', (t) =>
  survives(
    t,
    'one of three etcd members frozen',
    (member) => {
      member.freeze()
    },
    (member) => {
      member.thaw()
    },
  ),
)

test.serial('the leader changed: nothing missed, nothing doubled', async (t) => {
  const watched = await watchTraffic(host, daemon)
  const status = await at(0).etcdctl(`--endpoints=${members.map((member) => member.url).join(',')} endpoint status`)
  const leader = members.find(({ url }) =>
    status.split('\n').some((line) => line.startsWith(url) && / true, false,/.test(line)),
  )
  const other = members.find((member) => member !== leader) ?? at(0)
  const id = (await other.etcdctl('endpoint status')).split(', ')[1]
  await leader?.etcdctl(`move-leader ${id}`)
  await putPeer(other, next)
  const ms = await waitForPeer(host, next, true)
  t.is(countMatches(watched.lines(), /peer .* joined/), 1)
  await record({ fault: 'etcd leader changed', promise: 'nothing missed, nothing doubled', ms, test: t.title })
  watched.assertQuiet(t, 6)
})

test.serial('compacted while cut off: listed again, compared, gone on', async (t) => {
  const watched = await watchTraffic(host, daemon)
  await host.run('iptables -I OUTPUT -p tcp --dport 2379 -j REJECT --reject-with tcp-reset')
  await waitFor('the cut', () => countMatches(watched.lines(), /forwarding continues/) > 0)
  await putPeer(at(0), 60)
  await at(0).etcdctl('del /docker-test/network/subnets/10.2.29.0-24')
  const revision = /"revision":(\d+)/.exec(await at(0).etcdctl('get nothing -w json'))?.[1]
  await at(0).etcdctl(`compact --physical ${revision}`)
  await host.run('iptables -D OUTPUT -p tcp --dport 2379 -j REJECT --reject-with tcp-reset')
  const ms = await waitForPeer(host, 60, true)
  await waitForPeer(host, 29, false)
  t.is(countMatches(watched.lines(), /peer 10\.2\.60\.0\/24 joined/), 1)
  t.is(countMatches(watched.lines(), /peer 10\.2\.29\.0\/24 left/), 1)
  t.is(countMatches(watched.lines(), /peer .* (joined|left|changed)/), 2, watched.lines().join('\n'))
  await record({ fault: 'etcd compacted while cut off', promise: 'listed again, nothing doubled', ms, test: t.title })
})
