// Packets of each family through the rules Docker makes: with and without ours, by vxlan and by host-gw. Real engines run in
// test/docker and test/engines.
import test from 'ava'
import { createFirewall } from '../../src/firewall/firewall.ts'
import { createLog } from '../../src/log.ts'
import { RULES_OF } from '../lab/scenarios/docker-rules.ts'
import { askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { NUMBERINGS } from '../lab/scenarios/numbering.ts'
import { prefix } from '../fake/values.ts'

for (const numbering of Object.values(NUMBERINGS)) {
  const { family, bits, within } = numbering

  for (const engine of RULES_OF)
    for (const backend of ['vxlan', 'host-gw'] as const)
      test.serial(
        `IPv${family}: containers reach each other, any port, with their own addresses (Docker ${engine}, ${backend})`,
        async (t) => {
          const on = await createFirewalledHosts(t, backend, numbering)
          await Promise.all([serveTcp(on.container, 5000), serveTcp(on.container, 80), serveTcp(on.remote, 5000)])
          await on.docker(engine)
          t.is(await askTcp(on.remote, on.container.address, 5000), undefined, 'Docker alone shuts the overlay out')
          await on.protect()
          await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
          await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
          t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
          t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
          t.is(await askTcp(on.neighbour, on.at.host, 8080), on.at.neighbour, 'a published port')
        },
      )

  test.serial(
    `IPv${family}: past Docker 28’s rules a neighbour that is no peer reaches no unpublished port (host-gw)`,
    async (t) => {
      const on = await createFirewalledHosts(t, 'host-gw', numbering)
      await serveTcp(on.container, 5000)
      t.is(await askTcp(on.neighbour, on.container.address, 5000), on.at.neighbour, 'the way is there')
      await on.docker('28.5')
      await on.protect()
      t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
      t.is(await askTcp(on.neighbour, on.container.address, 5000), undefined)
      // Nor one that takes an address of our own subnet for its own.
      const [forged, own] = [within(21, 77), on.container.address]
      await on.neighbour.run(`ip addr add ${forged}/${bits} dev lo
        ip route add ${own}/${bits} via ${on.at.host} src ${forged}`)
      const dropped = async (): Promise<number> => {
        const rules = await on.iptables('-t raw -L PREROUTING -vnx')
        return Number(/(\d+) +\d+ DROP /.exec(rules)?.[1])
      }
      const before = await dropped()
      await t.throwsAsync(on.neighbour.run(`ping -c 1 -W 1 -I ${forged} ${own}`))
      t.true((await dropped()) > before)
    },
  )

  test.serial(`IPv${family}: the operator’s own rules in DOCKER-USER stand above our accepts`, async (t) => {
    const on = await createFirewalledHosts(t, 'vxlan', numbering)
    await Promise.all([serveTcp(on.container, 80), serveTcp(on.container, 5000)])
    await on.docker('28.5')
    await on.protect()
    t.is(await askTcp(on.neighbour, on.at.host, 8080), on.at.neighbour)
    t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
    await on.iptables(`-I DOCKER-USER -s ${on.at.neighbour} -j DROP`)
    await on.iptables(`-I DOCKER-USER -s ${on.remote.address} -j DROP`)
    t.is(await askTcp(on.neighbour, on.at.host, 8080), undefined)
    t.is(await askTcp(on.remote, on.container.address, 5000), undefined)
  })

  test.serial(`IPv${family}: a trailing REJECT, without Docker`, async (t) => {
    const on = await createFirewalledHosts(t, 'vxlan', numbering)
    await on.iptables('-A FORWARD -j REJECT')
    await t.throwsAsync(on.remote.run(`ping -c 1 -W 1 ${on.container.address}`))
    await on.protect()
    await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
    await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
  })

  test.serial(
    `IPv${family}: with -ip-masq a container keeps its address in the network and has the host’s outside`,
    async (t) => {
      const on = await createFirewalledHosts(t, 'vxlan', numbering)
      await Promise.all([serveTcp(on.remote, 5000), serveTcp(on.neighbour, 5000)])
      await on.neighbour.run(`ip route del ${numbering.subnet(21)}`)
      t.is(await askTcp(on.container, on.at.neighbour, 5000), undefined, 'nobody knows the way back')
      await on.protect({ masquerade: true })
      t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
      t.is(await askTcp(on.container, on.at.neighbour, 5000), on.at.host)
    },
  )

  test.serial(
    `IPv${family}: no packet is lost while rules are applied, replaced and applied by a restarted daemon`,
    async (t) => {
      const on = await createFirewalledHosts(t, 'vxlan', numbering)
      await on.docker('28.5')
      await on.protect()
      const ping = await on.remote.spawn(`ping -i 0.01 -q ${on.container.address}`)
      for (const jump of ['FORWARD 1', 'FORWARD 2']) await on.iptables(`-I ${jump} -i nowhere -j DROP`)
      const saved = async (): Promise<string> => on.host.run(`${numbering.iptables}-save -t filter`)
      await waitFor(
        'ours first',
        async () =>
          /^-A FORWARD .*\n-A FORWARD .* -j FLANNEL-OVERLAY$/m.exec(await saved())?.index ===
          (await saved()).indexOf('-A FORWARD'),
      )
      await on.firewall.settled()
      on.firewall.stop()
      const netns = `/proc/${on.host.pid}/ns/net`
      const log = createLog('test', 0, () => undefined)
      const next = createFirewall({ log, resyncSeconds: 5, netns, prefix: ['nsenter', `--net=${netns}`] })
      t.teardown(() => {
        next.stop()
      })
      next.want([{ ...on.input, masquerade: true, network: prefix(family === 4 ? '10.2.0.0/15' : 'fd00:2::/47') }])
      await next.settled()
      t.is(next.status().error, undefined)
      ping.kill('SIGINT')
      await ping.exit
      t.regex(ping.output(), /, 0% packet loss/)
    },
  )
}
