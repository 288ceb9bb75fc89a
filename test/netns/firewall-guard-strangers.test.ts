// Which senders the guard of the VXLAN port drops, and which it admits in addition to peers.
import test from 'ava'
import { INNER, PORT, createGuardHosts, pings } from '../lab/scenarios/port-guard.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { address, prefix } from '../fake/values.ts'

test.serial(
  'whom the guard dropped is known: by address and packets, peers excepted, and however many forge theirs',
  async (t) => {
    const { host, peer, stranger, guard } = await createGuardHosts(t)
    guard.want([{ ...PORT, peers: [address(peer.address)] }])
    await guard.settled()
    t.true(await pings(peer, INNER.guarded))
    t.false(await pings(stranger, INNER.guarded, 3))
    const [first] = await guard.strangers()
    t.is(first?.address, address(stranger.address))
    t.true((first?.packets ?? 0) >= 3)
    await stranger.run('ip link set flannel.1 down')
    const before = Number(await guard.dropped())
    // The set is full after 64; every packet is dropped all the same.
    await stranger.run(`for i in $(seq 1 100); do ip addr add 172.20.0.$i/32 dev lo; done
    ip route add ${host.address} dev enp0s3 src 172.20.0.1 2>/dev/null || ip route replace ${host.address} dev enp0s3 src 172.20.0.1
    for i in $(seq 1 100); do ip route replace ${host.address} dev enp0s3 src 172.20.0.$i
      bash -c "printf '\\x08\\0\\0\\0\\0\\0\\x01\\0xxxxxxxxxxxxxxxx' >/dev/udp/${host.address}/8472"; done`)
    await waitFor('a hundred dropped', async () => Number(await guard.dropped()) >= before + 100)
    const strangers = await guard.strangers()
    t.true(strangers.length <= 64 && strangers.length > 32, String(strangers.length))
    // One that becomes a peer is none any more.
    guard.want([{ ...PORT, peers: [address(peer.address), address(stranger.address)] }])
    await guard.settled()
    t.false((await guard.strangers()).some((one) => one.address === stranger.address))
  },
)

test.serial('further senders are let in by option', async (t) => {
  const { stranger, guard } = await createGuardHosts(t)
  guard.want([{ ...PORT, allowed: [prefix('192.168.19.120/29')], peers: [] }])
  await guard.settled()
  t.true(await pings(stranger, INNER.guarded))
})
