// The VXLAN guard between real hosts: who is let to the port, who is not, and what it costs.
import test from 'ava'
import { type Address, fromNumber } from '../../src/ip/address.ts'
import { createGuard } from '../../src/firewall/nftables/guard.ts'
import { createLog } from '../../src/log.ts'
import { INNER, PORT, createGuardHosts, createVxlan, guardedPort, innerOf, pings } from '../lab/scenarios/port-guard.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { NUMBERINGS } from '../lab/scenarios/numbering.ts'
import { address } from '../fake/values.ts'

for (const numbering of Object.values(NUMBERINGS)) {
  const { family, device, of } = numbering
  const [guarded, inner] = [guardedPort({}, numbering), innerOf(numbering)]

  test.serial(`IPv${family}: a peer is let in, a stranger is dropped and counted`, async (t) => {
    const { host, peer, stranger, guard } = await createGuardHosts(t, numbering)
    t.true(await pings(stranger, inner.guarded), 'without a guard anybody gets in')
    // Silent for now: its IPv6 and ARP have things to say of their own.
    await stranger.run(`ip link set ${device} down`)
    guard.want([{ ...guarded, peers: [address(of(peer))] }])
    await guard.settled()
    t.is(guard.error(), undefined)
    t.true(await pings(peer, inner.guarded))
    t.is(await guard.dropped(), 0n)
    await stranger.run(`ip link set ${device} up`)
    t.false(await pings(stranger, inner.guarded, 3))
    t.true(((await guard.dropped()) ?? 0n) >= 3n)
    // Elements alone change when a peer joins or leaves; the counter is kept.
    const before = await guard.dropped()
    guard.want([{ ...guarded, peers: [address(of(stranger))] }])
    await guard.settled()
    t.true(await pings(stranger, inner.guarded))
    t.false(await pings(peer, inner.guarded))
    t.true(((await guard.dropped()) ?? 0n) > (before ?? 0n))
    await guard.cleanup()
    t.is(await host.run('nft list ruleset'), '')
  })

  test.serial(`IPv${family}: traffic of another VNI on the same port passes the guard`, async (t) => {
    const { host, stranger, guard } = await createGuardHosts(t, numbering)
    const [here, there] = family === 4 ? ['11.0.0.1', '11.0.0.2'] : ['fd11::1', 'fd11::2']
    await createVxlan(host, here, [stranger], 2, numbering)
    await createVxlan(stranger, there, [host], 2, numbering)
    guard.want([{ ...guarded, peers: [] }])
    await guard.settled()
    t.false(await pings(stranger, inner.guarded))
    t.true(await pings(stranger, here))
  })
}

// An IPv6 host that sends VXLAN does not cut it: firewall-guard-fragments.test.ts makes such fragments.
test.serial('fragments of a stranger are dropped, fragments of a peer put together', async (t) => {
  const { host, peer, stranger, guard } = await createGuardHosts(t)
  for (const one of [host, peer, stranger]) await one.run('ip link set flannel.1 mtu 1450; ip link set enp0s3 mtu 900')
  guard.want([{ ...PORT, peers: [address(peer.address)] }])
  await guard.settled()
  t.true(await peer.run(`ping -c 1 -W 2 -s 1400 ${INNER.guarded}`).then(() => true))
  await t.throwsAsync(stranger.run(`ping -c 1 -W 1 -s 1400 ${INNER.guarded}`))
  t.true(((await guard.dropped()) ?? 0n) >= 1n)
})

test.serial('many peers that come and go at once change set elements alone, IPv6 too', async (t) => {
  const { host, peer, guard } = await createGuardHosts(t)
  const many = (from: number, count: number): readonly Address[] =>
    Array.from({ length: count }, (_, i) =>
      address(i % 10 === 0 ? `fd00::${(from + i).toString(16)}` : `172.16.${(from + i) >> 8}.${(from + i) & 255}`),
    )
  guard.want([{ ...PORT, peers: [address(peer.address), ...many(0, 3000)] }])
  await guard.settled()
  const handle = await host.run('nft -a list table inet flannel-guard-1 | grep "chain input"')
  guard.want([{ ...PORT, peers: many(1000, 4000) }])
  await guard.settled()
  t.is(guard.error(), undefined)
  const sets = (await host.run('nft -j list sets inet')).match(/(172\.16\.\d+\.\d+|fd00::[0-9a-f]+)/g) ?? []
  t.deepEqual([...new Set(sets)].sort(), [...new Set(many(1000, 4000))].sort())
  t.is(await host.run('nft -a list table inet flannel-guard-1 | grep "chain input"'), handle, 'the table is the same')
  t.false(await pings(peer, INNER.guarded))
})

test.serial('a guard that was flushed, deleted or altered comes back', async (t) => {
  const { host, peer, guard } = await createGuardHosts(t)
  guard.want([{ ...PORT, peers: [address(peer.address), address('192.168.19.200'), address('fd00::1')] }])
  await guard.settled()
  // Whom it dropped is no part of it.
  const listed = async (): Promise<string> =>
    (await host.run('nft -s list table inet flannel-guard-1')).replace(/\tset strangers.*?\n\t}\n/gs, '')
  const right = await listed()
  for (const damage of [
    'nft flush ruleset',
    'nft delete table inet flannel-guard-1',
    'nft flush chain inet flannel-guard-1 input',
    'nft delete element inet flannel-guard-1 peers4 { 192.168.19.200 }',
    'nft insert rule inet flannel-guard-1 input accept',
  ]) {
    await host.run(damage)
    const start = performance.now()
    await waitFor(damage, async () => (await listed()) === right)
    t.log(`${damage}: ${Math.round(performance.now() - start)} ms`)
  }
  t.is(guard.error(), undefined)
})

test.serial('-vxlan-guard=false at a restart: the guard of the earlier run goes', async (t) => {
  const { host, guard } = await createGuardHosts(t)
  guard.want([{ ...PORT, peers: [] }])
  await guard.settled()
  guard.stop()
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const previous = ['flannel-guard-1']
  const next = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`], previous })
  t.teardown(() => {
    next.stop()
  })
  next.want([])
  await next.settled()
  t.is(await host.run('nft list ruleset'), '')
})

test.serial('a restarted daemon takes the table over; VNI and port change in place', async (t) => {
  const { host, peer, guard } = await createGuardHosts(t)
  guard.want([{ ...PORT, peers: [address(peer.address), address('192.168.19.200')] }])
  await guard.settled()
  guard.stop()
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const next = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    next.stop()
  })
  next.want([{ ...PORT, peers: [address(peer.address)] }])
  await next.settled()
  t.notRegex(await host.run('nft list table inet flannel-guard-1'), /192\.168\.19\.200/)
  next.want([{ ...guardedPort({ port: 4789 }), peers: [address(peer.address)] }])
  await next.settled()
  t.notRegex(await host.run('nft list table inet flannel-guard-1'), /8472/)
  next.want([{ ...guardedPort({ port: 4789, vni: 7 }), peers: [address(peer.address)] }])
  await next.settled()
  t.is(await host.run('nft list tables'), 'table inet flannel-guard-7\n')
  next.want([])
  await next.settled()
  t.is(await host.run('nft list ruleset'), '')
})

test.serial('ten thousand peers are let in by one call, and one more costs little', async (t) => {
  const { host, guard } = await createGuardHosts(t)
  const many = Array.from({ length: 10_000 }, (_, i) => fromNumber(0x0a000001 + i * 7))
  let start = performance.now()
  guard.want([{ ...PORT, peers: many }])
  await guard.settled()
  t.log(`10,000 peers: ${Math.round(performance.now() - start)} ms`)
  start = performance.now()
  guard.want([{ ...PORT, peers: [...many, address('192.168.19.122')] }])
  await guard.settled()
  t.log(`one more: ${Math.round(performance.now() - start)} ms`)
  const listed = await host.run('nft list set inet flannel-guard-1 peers4')
  t.is(listed.match(/\d+\.\d+\.\d+\.\d+/g)?.length, 10_001)
})

test.serial('a kernel that knows no routes in nftables has all the rest of the guard', async (t) => {
  const { host, peer } = await createGuardHosts(t)
  await host.run(`mkdir /run/bin; cat >/run/bin/nft <<'end'
#!/bin/sh
if [ "$1" != -f ]; then exec /usr/sbin/nft "$@"; fi
text=$(cat)
case $text in *" fib "*) echo 'Error: Could not process rule: No such file or directory' >&2; exit 1;; esac
printf '%s\\n' "$text" | exec /usr/sbin/nft "$@"
end
chmod +x /run/bin/nft`)
  const lines: string[] = []
  const prefix = ['nsenter', '-t', String(host.pid), '-n', '-m', 'env', 'PATH=/run/bin:/usr/sbin:/usr/bin:/bin']
  const netns = `/proc/${host.pid}/ns/net`
  const guard = createGuard({ log: createLog('test', 0, (line) => lines.push(line)), resyncSeconds: 1, netns, prefix })
  t.teardown(() => {
    guard.stop()
  })
  guard.want([{ ...PORT, peers: [address(peer.address)] }])
  await guard.settled()
  t.is(guard.error(), undefined)
  t.deepEqual(lines, [])
  const table = await host.run('nft list table inet flannel-guard-1')
  t.notRegex(table, / fib /)
  t.regex(table, /chain forward \{[^}]* ip saddr 10\.2\.0\.0\/16 [^}]*drop/)
  t.true(await pings(peer, INNER.guarded))
})

test.serial('without nft one warning says what that means', async (t) => {
  const lines: string[] = []
  const log = createLog('test', 0, (line) => lines.push(line))
  const guard = createGuard({ log, resyncSeconds: 1, prefix: ['env', 'PATH=/nowhere'] })
  t.teardown(() => {
    guard.stop()
  })
  guard.want([{ ...PORT, peers: [] }])
  await guard.settled()
  t.regex(guard.error() ?? '', /nft: not installed/)
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /anybody can send into the network/)
})

test.serial('two networks have a guard each: peers and strangers of their own, counted together', async (t) => {
  const { host, peer, stranger, guard } = await createGuardHosts(t)
  await createVxlan(host, '11.2.1.0', [peer, stranger], 2)
  await createVxlan(peer, '11.2.2.0', [host], 2)
  await createVxlan(stranger, '11.2.3.0', [host], 2)
  const first = { ...PORT, peers: [address(peer.address)] }
  const second = { ...guardedPort({ vni: 2 }), peers: [address(stranger.address)] }
  guard.want([first, second])
  await guard.settled()
  t.true(await pings(peer, INNER.guarded))
  t.false(await pings(peer, '11.2.1.0'))
  t.true(await pings(stranger, '11.2.1.0'))
  t.false(await pings(stranger, INNER.guarded, 3))
  const dropped = Number(await guard.dropped())
  t.true(dropped >= 4, String(dropped))
  const strangers = await guard.strangers()
  t.deepEqual(strangers.map((one) => String(one.address)).toSorted(), [peer.address, stranger.address])
  await host.run('nft flush ruleset')
  await waitFor(
    'both guards',
    async () => (await host.run('nft list tables')).match(/flannel-guard-[12]$/gm)?.length === 2,
  )
  t.throws(
    () => {
      guard.want([first, first])
    },
    { instanceOf: TypeError, message: 'guard: flannel-guard-1: wanted twice' },
  )
  guard.want([second])
  await guard.settled()
  t.is(await host.run('nft list tables'), 'table inet flannel-guard-2\n')
  await guard.cleanup()
  t.is(await host.run('nft list tables'), '')
})
