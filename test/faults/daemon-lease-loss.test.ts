// A running daemon loses its lease: it has the same subnet again while that is free, and never takes it from a new owner.
import test, { type ExecutionContext } from 'ava'
import { type Node, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { errors } from '../lab/instruments/log-lines.ts'
import { startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { createLab } from '../lab/world/lab.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let etcd: EtcdHost
let own: Node
let peer: Node

test.before(async () => {
  const lan = await (await createLab(owner)).lan()
  etcd = await startEtcd(lan, { config: CONFIG })
  const join = async (last: number): Promise<Node> => {
    const host = await lan.host(last)
    return nodeOn(host, await startFlanneld(host, argsFor(etcd)))
  }
  ;[own, peer] = await Promise.all([join(121), join(122)])
  await waitUntilReached(own, peer)
})

const keyOf = (subnet: string): string => `${PREFIX}/subnets/${subnet}.0-24`

/** A key as etcd has it; undefined when it does not. */
async function entry(key: string): Promise<{ lease: number; revision: number; value: string } | undefined> {
  // etcd's lease ids need more than a double holds: as text.
  const printed = await etcd.etcdctl(`get ${key} -w json`)
  const [, revision] = /"mod_revision":(\d+)/.exec(printed) ?? []
  const [, value] = /"value":"([^"]*)"/.exec(printed) ?? []
  if (revision === undefined) return undefined
  const lease = Number(/"lease":(\d+)/.exec(printed)?.[1] ?? 0)
  return { lease, revision: Number(revision), value: Buffer.from(value ?? '', 'base64').toString() }
}

/** Makes the lease of a frozen host end as its TTL would. */
async function expire(subnet: string): Promise<void> {
  const printed = await etcd.etcdctl(`get ${keyOf(subnet)} -w json`)
  const lease = BigInt(/"lease":(\d+)/.exec(printed)?.[1] ?? 0)
  await etcd.etcdctl(`lease revoke ${lease.toString(16)}`)
}

const ready = async (): Promise<boolean> => (await askHealthPort(own.host, '/readyz')).status === 200
const subnetNow = async (): Promise<string> => (await subnetEnv(own.host))['FLANNEL_SUBNET'] ?? ''

async function same(t: ExecutionContext, fault: string, lose: () => Promise<void>): Promise<void> {
  const watched = await watchTraffic(own.host, own.daemon)
  const pings = await startPings(own.container, peer.container.address)
  await waitFor('pings', () => pings.received() > 5)
  await lose()
  const lost = performance.now()
  await waitFor('the key', () => entry(keyOf(own.subnet)))
  const ms = performance.now() - lost
  await waitFor('the lease reported', () => countMatches(watched.lines(), /written again/) === 1)
  await waitFor('ready', ready)
  t.is(
    countMatches(watched.lines(), /no longer ready: lease: (key deleted|etcd lease expired)/),
    1,
    watched.lines().join('\n'),
  )
  t.is(await subnetNow(), `${own.subnet}.1/24`)
  t.is((await kernelText(own.host)).ours, watched.before)
  t.not((await entry(keyOf(own.subnet)))?.lease, 0)
  const received = pings.received()
  await waitFor('pings after it', () => pings.received() > received + 20)
  const { longestGap } = await pings.stop()
  await record({
    fault,
    promise: 'same subnet, own data path untouched',
    ms,
    result: `longest time without a packet ${longestGap} ms`,
    test: t.title,
  })
  watched.assertQuiet(t, 8)
}

test.serial('own key deleted: the same subnet again at once, the data path untouched', (t) =>
  same(t, 'own lease deleted', async () => {
    await etcd.etcdctl(`del ${keyOf(own.subnet)}`)
  }),
)

test.serial('expired while frozen, and still free: the same subnet again, the data path untouched', (t) =>
  same(t, 'own lease expired while frozen', async () => {
    own.daemon.kill('SIGSTOP')
    try {
      await expire(own.subnet)
    } finally {
      own.daemon.kill('SIGCONT')
    }
  }),
)

test.serial('a key deleted by mistake, again and again: its peer changes nothing, and no packet is lost', async (t) => {
  const watched = await watchTraffic(peer.host, peer.daemon)
  const rules = await peer.host.spawn('nft monitor')
  const pings = await startPings(peer.container, own.container.address)
  await waitFor('pings', () => pings.received() > 5)
  for (let n = 0; n < 5; n++) {
    const { revision = 0 } = (await entry(keyOf(own.subnet))) ?? {}
    await etcd.etcdctl(`del ${keyOf(own.subnet)}`)
    await waitFor('the key', async () => ((await entry(keyOf(own.subnet)))?.revision ?? 0) > revision)
    const received = pings.received()
    await waitFor('pings after it', () => pings.received() > received + 60)
  }
  const { lost, sent } = await pings.stop()
  await record({
    fault: "a living host's key deleted five times",
    promise: 'no packet lost',
    result: `${lost} of ${sent} packets lost`,
    test: t.title,
  })
  t.is(lost, 0, `${lost} of ${sent}`)
  t.deepEqual(watched.lines(), [], 'its peer logs nothing')
  watched.assertQuiet(t, 0)
  t.is((await kernelText(peer.host)).ours, watched.before)
  t.notRegex(rules.stdout(), /flannel-guard/)
})

test.serial("a host that leaves is gone soon after; one that claims its peers' MAC gets nothing by it", async (t) => {
  await putPeer(etcd, 99)
  await waitForPeer(peer.host, 99, true)
  await etcd.etcdctl(`del ${keyOf('10.2.99')}`)
  const ms = await waitForPeer(peer.host, 99, false)
  await record({ fault: 'a host leaves', promise: 'gone within 1 s', ms, limit: 1_000, test: t.title })
  await peer.daemon.line(/peer 10\.2\.99\.0\/24 left/)

  const watched = await watchTraffic(peer.host, peer.daemon)
  const pings = await startPings(peer.container, own.container.address)
  await waitFor('pings', () => pings.received() > 5)
  const [, mac = ''] = /"VtepMAC":"([^"]+)"/.exec((await entry(keyOf(own.subnet)))?.value ?? '') ?? []
  const value = { PublicIP: '192.168.19.98', BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: mac } }
  const lines = (): number =>
    countMatches(watched.lines(), new RegExp(`lease refused: ${keyOf('10.2.98')}: duplicate-mac: ${mac} is`))
  await etcd.etcdctl(`put ${keyOf('10.2.98')} '${JSON.stringify(value)}'`)
  await waitFor('its refusal', () => lines() === 1)
  // Nor while the key of the one that has it is deleted and comes back.
  const { revision = 0 } = (await entry(keyOf(own.subnet))) ?? {}
  await etcd.etcdctl(`del ${keyOf(own.subnet)}`)
  await waitFor('the key', async () => ((await entry(keyOf(own.subnet)))?.revision ?? 0) > revision)
  const received = pings.received()
  await waitFor('pings after it', () => pings.received() > received + 60)
  t.is((await pings.stop()).lost, 0)
  t.is((await kernelText(peer.host)).ours, watched.before)
  t.is(lines(), 1, 'logged once')
  await etcd.etcdctl(`del ${keyOf('10.2.98')}`)
})

/** Freezes the daemon; meanwhile its lease ends and host .99 takes the subnet. */
async function robbed(): Promise<number> {
  own.daemon.kill('SIGSTOP')
  try {
    await expire(own.subnet)
    await putPeer(etcd, 99, `${own.subnet}.0`)
  } finally {
    own.daemon.kill('SIGCONT')
  }
  return (await entry(keyOf(own.subnet)))?.revision ?? 0
}

test.serial(
  'with -on-subnet-conflict=wait and our subnet taken: nothing changes, reported, leased again when it is free',
  async (t) => {
    await own.daemon.stop()
    own.daemon = await startFlanneld(own.host, `${argsFor(etcd)} -on-subnet-conflict=wait`)
    await own.daemon.line(/ ready: /)
    const watched = await watchTraffic(own.host, own.daemon)
    const revision = await robbed()
    await own.daemon.line(/lease lost: .* 192\.168\.19\.99's now: waiting until it is free again/)
    await waitFor('not ready', async () => !(await ready()))
    t.regex(
      (await askHealthPort(own.host, '/readyz')).text,
      /^flanneld is not ready yet\nbroken\nlease: key (deleted|changed)$/,
    )
    t.is(await subnetNow(), `${own.subnet}.1/24`)
    t.is((await kernelText(own.host)).ours, watched.before)
    t.is((await entry(keyOf(own.subnet)))?.revision, revision, 'the new owner is not overwritten')
    t.is((await etcd.etcdctl(`get --prefix --keys-only ${PREFIX}/subnets/`)).trim().split(/\s+/).length, 2)
    await etcd.etcdctl(`del ${keyOf(own.subnet)}`)
    const freed = performance.now()
    await waitFor('ready', ready)
    const ms = performance.now() - freed
    t.regex((await entry(keyOf(own.subnet)))?.value ?? '', /192\.168\.19\.121/)
    t.is((await kernelText(own.host)).ours, watched.before)
    t.is(errors(own.daemon).length, 1)
    await record({
      fault: 'subnet taken by another host while frozen, -on-subnet-conflict=wait',
      promise: 'never overwritten; leased again when free',
      ms,
      test: t.title,
    })
    watched.assertQuiet(t, 8)
    await waitUntilReached(peer, own)
  },
)

test.serial(
  'another host has our subnet: never overwritten, another subnet is leased, everything follows',
  async (t) => {
    await own.daemon.stop()
    own.daemon = await startFlanneld(own.host, argsFor(etcd))
    await own.daemon.line(/ ready: /)
    const taken = own.subnet
    const began = performance.now()
    const revision = await robbed()
    await own.daemon.line(/lease lost: .* 192\.168\.19\.99's now: taking another subnet/)
    await own.daemon.line(/lease moved from/)
    await waitFor('ready', ready)
    const fresh = (await subnetNow()).replace('.1/24', '')
    const ms = performance.now() - began
    t.not(fresh, taken)
    t.is((await entry(keyOf(taken)))?.revision, revision, 'the new owner is not overwritten')
    const { ours } = await kernelText(own.host)
    t.true(ours.includes(` ${fresh}.0/32 `), 'the device has the new address')
    t.false(ours.includes(` ${taken}.0/32 `), 'and not the old one')
    // Docker's bridge still has the subnet: its route is not ours to replace, and gives way when Docker takes the new one.
    await own.host.run('ip link del docker0')
    await waitFor('the new owner as a peer', async () => (await kernelText(own.host)).ours.includes(`${taken}.0/24 `))
    const seen = async (): Promise<string> => (await kernelText(peer.host)).ours
    await waitFor('the peer to follow', async () => (await seen()).includes(`${fresh}.0/24 `))
    await waitFor('the peer to send the old one to its new owner', async () =>
      (await seen()).includes(' dst 192.168.19.99 '),
    )
    t.is(countMatches(errors(own.daemon), /lease/), 1, own.daemon.output())
    await record({
      fault: 'subnet taken by another host while frozen',
      promise: 'never overwritten, another subnet, reported',
      ms,
      test: t.title,
    })
  },
)
