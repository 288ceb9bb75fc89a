// The guard where packets arrive otherwise than by VXLAN: strangers to a UDP port and to an IP protocol of its own, and a host's
// containers that would send by its name.
import test from 'ava'
import type { Arrival } from '../../src/firewall/nftables/arrival.ts'
import { createGuard } from '../../src/firewall/nftables/guard.ts'
import { createLog } from '../../src/log.ts'
import { createFirewalledHosts } from '../lab/scenarios/firewalled-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import type { Host } from '../lab/world/lab.ts'
import type { Place } from '../lab/world/space.ts'
import { address } from '../fake/values.ts'

interface Kind {
  readonly arrival: Arrival
  readonly table: string
  /** How nft matches such packets. */
  readonly match: string
  /** Sends one from a place to a host. */
  send(from: Place, to: string): Promise<string>
}

const KINDS: readonly Kind[] = [
  {
    arrival: { type: 'udp', port: 8285 },
    table: 'flannel-guard-udp-8285',
    match: 'udp dport 8285',
    send: (from, to) => from.run(`bash -c "echo x >/dev/udp/${to}/8285"`),
  },
  {
    arrival: { type: 'protocol', protocol: 4 },
    table: 'flannel-guard-protocol-4',
    match: 'meta l4proto 4',
    send: (from, to) =>
      from.run(
        `perl -e 'use Socket; socket(my $s, PF_INET, SOCK_RAW, 4) or die; send($s, "E" x 40, 0, pack_sockaddr_in(0, inet_aton("${to}"))) or die'`,
      ),
  },
]

/** Counts such packets where the guard has let them through. */
async function count({ match }: Kind, host: Host): Promise<() => Promise<number>> {
  await host.run(`nft -f - <<end
add table inet seen
add chain inet seen input { type filter hook input priority -200; }
add rule inet seen input ${match} counter
end`)
  return async () => Number(/packets (\d+)/.exec(await host.run('nft list table inet seen'))?.[1])
}

for (const kind of KINDS)
  test.serial(
    `${kind.table}: peers are let in, strangers dropped and counted, containers kept from the host's name`,
    async (t) => {
      const on = await createFirewalledHosts(t, 'vxlan')
      await on.docker('20.10')
      await on.protect({ masquerade: true })
      const [atHost, atPeer] = [await count(kind, on.host), await count(kind, on.peer)]
      const netns = `/proc/${on.host.pid}/ns/net`
      const log = createLog('test', 0, () => undefined)
      const guard = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`] })
      t.teardown(() => {
        guard.stop()
      })
      const { send, arrival, table } = kind
      await send(on.neighbour, on.at.host)
      await waitFor('one without a guard', async () => (await atHost()) === 1)

      const device = { arrival, device: 'flannel0', network: on.numbering.network, own: [address(on.at.host)] }
      guard.want([{ devices: [device], allowed: [], peers: [address(on.at.peer)] }])
      await guard.settled()
      t.is(guard.error(), undefined)
      await send(on.neighbour, on.at.host)
      await waitFor('the guard to drop it', async () => (await guard.dropped()) === 1n)
      t.deepEqual(
        (await guard.strangers()).map((one) => String(one.address)),
        [on.at.neighbour],
      )
      await send(on.peer, on.at.host)
      await waitFor('that of the peer', async () => (await atHost()) === 2)
      await send(on.container, on.at.peer)
      const forwarded = async (): Promise<boolean> =>
        /\bpackets 1 /.test(await on.host.run(`nft list counter inet ${table} forwarded`))
      await waitFor('the guard to drop that of the container', forwarded)
      await send(on.host, on.at.peer)
      await waitFor("the host's own", async () => (await atPeer()) === 1)
      t.is(await guard.dropped(), 1n)
      await guard.cleanup()
      t.notRegex(await on.host.run('nft list tables'), /guard/)
    },
  )
