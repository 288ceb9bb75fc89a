// With -ip-masq a host masquerades only its own traffic: no neighbour on the LAN reaches other hosts' containers in its name.
import test, { type ExecutionContext } from 'ava'
import { createContainer } from '../lab/world/container.ts'
import { NUMBERINGS, type Numbering } from '../lab/scenarios/numbering.ts'
import { type FirewalledHosts, askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** A host that masquerades; a neighbour that sends to another host's containers by way of it. */
async function lender(
  t: ExecutionContext,
  numbering: Numbering,
  backend: 'vxlan' | 'host-gw' = 'vxlan',
): Promise<FirewalledHosts> {
  const on = await createFirewalledHosts(t, backend, numbering)
  await on.neighbour.run(`ip route add ${numbering.subnet(22)} via ${on.at.host}`)
  await Promise.all([serveTcp(on.remote, 5000), serveTcp(on.container, 5000)])
  t.is(await askTcp(on.neighbour, on.remote.address, 5000), on.at.neighbour, 'the way is there')
  return on
}

/** How many ICMP requests came to the remote container. */
async function pinged({ remote, numbering }: FirewalledHosts): Promise<number> {
  if (numbering.family === 6) return Number(/^Icmp6InEchos\s+(\d+)/m.exec(await remote.run('cat /proc/net/snmp6'))?.[1])
  const lines = (await remote.run('cat /proc/net/snmp')).split('\n').filter((line) => line.startsWith('Icmp:'))
  const [names = [], values = []] = lines.map((line) => line.split(' '))
  return Number(values[names.indexOf('InEchos')])
}

for (const numbering of Object.values(NUMBERINGS)) {
  const { family, bits, within, subnet, endpoint, docker } = numbering
  /** The address of the host's own tunnel. */
  const lent = within(21, 0)

  for (const nftables of [false, true]) {
    const title = `IPv${family}, ${nftables ? 'EnableNFTables' : 'iptables'}`
    test.serial(
      `a neighbour reaches no other host's containers by way of a host that masquerades (${title})`,
      async (t) => {
        const on = await lender(t, numbering)
        await on.protect({ masquerade: true, nftables })
        t.is(await askTcp(on.neighbour, on.remote.address, 5000), undefined)
        t.is(await askTcp(on.neighbour, on.container.address, 5000), on.at.neighbour, 'its own it may reach, as itself')
        // Nor one that takes an address of the host's own subnet, or of another peer's, for its own.
        await on.host.run('sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.enp0s3.rp_filter=0')
        for (const forged of [within(21, 77), within(23, 77)]) {
          await on.neighbour.run(`ip addr add ${forged}/${bits} dev lo`)
          const before = await pinged(on)
          await t.throwsAsync(on.neighbour.run(`ping -c 2 -i 0.2 -W 1 -I ${forged} ${on.remote.address}`))
          t.is(await pinged(on), before, forged)
        }
        await on.container.run(`ping -c 1 -W 5 ${on.remote.address}`)
        await on.remote.run(`ping -c 1 -W 5 ${on.container.address}`)
      },
    )

    test.serial(
      `where forwarding is not ours to rule, a neighbour is seen by its own address (${title})`,
      async (t) => {
        const on = await lender(t, numbering)
        await on.protect({ masquerade: true, nftables, forward: false })
        t.is(await askTcp(on.neighbour, on.remote.address, 5000), on.at.neighbour)
      },
    )

    test.serial(
      `the host and what it leads there itself still reach the network by its address (${title})`,
      async (t) => {
        const on = await lender(t, numbering)
        await serveTcp(on.neighbour, 5000)
        await on.protect({ masquerade: true, nftables })
        t.is(await askTcp(on.host, on.remote.address, 5000), lent)
        const url = `http://${endpoint(on.remote.address, 5000)}/`
        const bound = `curl -g -s --http0.9 -m 5 --interface ${on.at.host} '${url}' || :`
        t.is((await on.host.run(bound)).trim(), lent, 'from another address of the host')
        const to = endpoint(on.remote.address, 5000)
        await on.iptables(`-t nat -A PREROUTING -p tcp --dport 8081 -j DNAT --to-destination ${to}`)
        t.is(await askTcp(on.neighbour, on.at.host, 8081), lent, 'a port forwarded by hand')
        await on.neighbour.run(`ip route del ${subnet(21)}`)
        t.is(await askTcp(on.container, on.at.neighbour, 5000), on.at.host, 'a container, outside')
        t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address, 'and inside')
      },
    )
  }

  test.serial(
    `IPv${family}: containers of other Docker networks reach the network by the host’s address`,
    async (t) => {
      const on = await lender(t, numbering)
      const env = { FLANNEL_SUBNET: docker(18).bridge, FLANNEL_MTU: '1500' }
      const other = await createContainer(on.host, env, 2, 'br-other')
      await on.docker('28.5', 'and others')
      await on.protect({ masquerade: true })
      t.is(await askTcp(other, on.remote.address, 5000), lent)
      t.is(await askTcp(on.neighbour, on.remote.address, 5000), undefined)
    },
  )

  test.serial(
    `IPv${family}: host-gw: packets that a neighbour sends through a host are refused, those of a peer are not`,
    async (t) => {
      const on = await lender(t, numbering, 'host-gw')
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
}
