// With -ip-masq a host masquerades only its own traffic: no neighbour on the LAN reaches other hosts' containers in its name.
import test, { type ExecutionContext } from 'ava'
import { createContainer } from '../lab/world/container.ts'
import { ENGINE_RULES, OTHER_NETWORKS } from '../lab/scenarios/docker-rules.ts'
import { type FirewalledHosts, askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** The address of the host's own flannel.1. */
const LENT = '10.2.21.0'

/** A host that masquerades; a neighbour that sends to another host's containers by way of it. */
async function lender(t: ExecutionContext, backend: 'vxlan' | 'host-gw' = 'vxlan'): Promise<FirewalledHosts> {
  const on = await createFirewalledHosts(t, backend)
  await on.neighbour.run(`ip route add 10.2.22.0/24 via ${on.host.address}`)
  await Promise.all([serveTcp(on.remote, 5000), serveTcp(on.container, 5000)])
  t.is(await askTcp(on.neighbour, on.remote.address, 5000), on.neighbour.address, 'the way is there')
  return on
}

/** How many packets of ICMP requests came to the remote container. */
async function pinged({ remote }: FirewalledHosts): Promise<number> {
  const lines = (await remote.run('cat /proc/net/snmp')).split('\n').filter((line) => line.startsWith('Icmp:'))
  const [names = [], values = []] = lines.map((line) => line.split(' '))
  return Number(values[names.indexOf('InEchos')])
}

for (const nftables of [false, true]) {
  const title = nftables ? 'EnableNFTables' : 'iptables'
  test.serial(
    `a neighbour reaches no other host's containers by way of a host that masquerades (${title})`,
    async (t) => {
      const on = await lender(t)
      await on.protect({ masquerade: true, nftables })
      t.is(await askTcp(on.neighbour, on.remote.address, 5000), undefined)
      t.is(
        await askTcp(on.neighbour, on.container.address, 5000),
        on.neighbour.address,
        'its own it may reach, as itself',
      )
      // Nor one that takes an address of the host's own subnet, or of another peer's, for its own.
      await on.host.run('sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.enp0s3.rp_filter=0')
      for (const forged of ['10.2.21.77', '10.2.23.77']) {
        await on.neighbour.run(`ip addr add ${forged}/32 dev lo`)
        const before = await pinged(on)
        await t.throwsAsync(on.neighbour.run(`ping -c 2 -i 0.2 -W 1 -I ${forged} ${on.remote.address}`))
        t.is(await pinged(on), before, forged)
      }
      await on.container.run(`ping -c 1 -W 5 ${on.remote.address}`)
      await on.remote.run(`ping -c 1 -W 5 ${on.container.address}`)
    },
  )

  test.serial(`where forwarding is not ours to rule, a neighbour is seen by its own address (${title})`, async (t) => {
    const on = await lender(t)
    await on.protect({ masquerade: true, nftables, forward: false })
    t.is(await askTcp(on.neighbour, on.remote.address, 5000), on.neighbour.address)
  })

  test.serial(
    `the host and what it leads there itself still reach the network by its address (${title})`,
    async (t) => {
      const on = await lender(t)
      await serveTcp(on.neighbour, 5000)
      await on.protect({ masquerade: true, nftables })
      t.is(await askTcp(on.host, on.remote.address, 5000), LENT)
      const bound = `curl -s --http0.9 -m 5 --interface ${on.host.address} http://${on.remote.address}:5000/ || :`
      t.is((await on.host.run(bound)).trim(), LENT, 'from another address of the host')
      await on.host.run(
        `iptables -t nat -A PREROUTING -p tcp --dport 8081 -j DNAT --to-destination ${on.remote.address}:5000`,
      )
      t.is(await askTcp(on.neighbour, on.host.address, 8081), LENT, 'a port forwarded by hand')
      await on.neighbour.run('ip route del 10.2.21.0/24')
      t.is(await askTcp(on.container, on.neighbour.address, 5000), on.host.address, 'a container, outside')
      t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address, 'and inside')
    },
  )
}

test.serial('containers of other Docker networks reach the network by the host’s address', async (t) => {
  const on = await lender(t)
  const other = await createContainer(on.host, { FLANNEL_SUBNET: '172.18.0.1/16', FLANNEL_MTU: '1500' }, 2, 'br-other')
  await on.host.run('iptables-restore --noflush', ENGINE_RULES['28.5'])
  await on.host.run('iptables-restore --noflush', OTHER_NETWORKS['28.5'])
  await on.protect({ masquerade: true })
  t.is(await askTcp(other, on.remote.address, 5000), LENT)
  t.is(await askTcp(on.neighbour, on.remote.address, 5000), undefined)
})

test.serial(
  'host-gw: packets that a neighbour sends through a host are refused, those of a peer are not',
  async (t) => {
    const on = await lender(t, 'host-gw')
    await on.protect({ masquerade: true })
    t.is(await askTcp(on.neighbour, on.remote.address, 5000), undefined)
    t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
    t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
    const ping = await on.remote.spawn(`ping -i 0.05 ${on.container.address}`)
    await waitFor('answers', () => /icmp_seq=20 /.test(ping.output()))
    ping.kill('SIGINT')
    await ping.exit
  },
)
