// Packets through the rules Docker makes: with and without ours, by vxlan and by host-gw. Real engines run in test/docker
// and test/engines.
import test from 'ava'
import { createFirewall } from '../../src/firewall/firewall.ts'
import { createLog } from '../../src/log.ts'
import { ENGINE_RULES } from '../lab/scenarios/docker-rules.ts'
import { INPUT } from '../lab/scenarios/firewall-host.ts'
import { askTcp, createFirewalledHosts, serveTcp } from '../lab/scenarios/firewalled-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { prefix } from '../fake/values.ts'

for (const [engine, rules] of Object.entries(ENGINE_RULES)) {
  for (const backend of ['vxlan', 'host-gw'] as const) {
    test.serial(
      `containers reach each other, any port, with their own addresses (Docker ${engine}, ${backend})`,
      async (t) => {
        const on = await createFirewalledHosts(t, backend)
        await Promise.all([serveTcp(on.container, 5000), serveTcp(on.container, 80), serveTcp(on.remote, 5000)])
        await on.host.run('iptables-restore --noflush', rules)
        t.is(await askTcp(on.remote, on.container.address, 5000), undefined, 'Docker alone shuts the overlay out')
        await on.protect()
        await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
        await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
        t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
        t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
        t.is(await askTcp(on.neighbour, on.host.address, 8080), on.neighbour.address, 'a published port')
      },
    )
  }
}

test.serial('past Docker 28’s rules a neighbour that is no peer reaches no unpublished port (host-gw)', async (t) => {
  const on = await createFirewalledHosts(t, 'host-gw')
  await serveTcp(on.container, 5000)
  t.is(await askTcp(on.neighbour, on.container.address, 5000), on.neighbour.address, 'the way is there')
  await on.host.run('iptables-restore --noflush', ENGINE_RULES['28.5'])
  await on.protect()
  t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
  t.is(await askTcp(on.neighbour, on.container.address, 5000), undefined)
  // Nor one that takes an address of our own subnet for its own.
  await on.neighbour
    .run('ip addr add 10.2.21.77/32 dev lo; ip route change 10.2.21.2 via 192.168.19.121 src 10.2.21.77')
    .catch(() => on.neighbour.run('ip route add 10.2.21.2/32 via 192.168.19.121 src 10.2.21.77'))
  const dropped = async (): Promise<string | undefined> =>
    /(\d+) .* DROP .*10\.2\.21\.2/.exec(await on.host.run('iptables -t raw -L PREROUTING -vnx'))?.[1]
  const before = Number(await dropped())
  await t.throwsAsync(on.neighbour.run('ping -c 1 -W 1 -I 10.2.21.77 10.2.21.2'))
  t.true(Number(await dropped()) > before)
})

test.serial('the operator’s own rules in DOCKER-USER stand above our accepts', async (t) => {
  const on = await createFirewalledHosts(t, 'vxlan')
  await Promise.all([serveTcp(on.container, 80), serveTcp(on.container, 5000)])
  await on.host.run('iptables-restore --noflush', ENGINE_RULES['28.5'])
  await on.protect()
  t.is(await askTcp(on.neighbour, on.host.address, 8080), on.neighbour.address)
  t.is(await askTcp(on.remote, on.container.address, 5000), on.remote.address)
  await on.host.run(`iptables -I DOCKER-USER -s ${on.neighbour.address} -j DROP`)
  await on.host.run(`iptables -I DOCKER-USER -s ${on.remote.address} -j DROP`)
  t.is(await askTcp(on.neighbour, on.host.address, 8080), undefined)
  t.is(await askTcp(on.remote, on.container.address, 5000), undefined)
})

test.serial('a trailing REJECT, without Docker', async (t) => {
  const on = await createFirewalledHosts(t, 'vxlan')
  await on.host.run('iptables -A FORWARD -j REJECT')
  await t.throwsAsync(on.remote.run(`ping -c 1 -W 1 ${on.container.address}`))
  await on.protect()
  await on.remote.run(`ping -c 1 -W 2 ${on.container.address}`)
  await on.container.run(`ping -c 1 -W 2 ${on.remote.address}`)
})

test.serial('with -ip-masq a container keeps its address in the network and has the host’s outside', async (t) => {
  const on = await createFirewalledHosts(t, 'vxlan')
  await Promise.all([serveTcp(on.remote, 5000), serveTcp(on.neighbour, 5000)])
  await on.neighbour.run('ip route del 10.2.21.0/24')
  t.is(await askTcp(on.container, on.neighbour.address, 5000), undefined, 'nobody knows the way back')
  await on.protect({ masquerade: true })
  t.is(await askTcp(on.container, on.remote.address, 5000), on.container.address)
  t.is(await askTcp(on.container, on.neighbour.address, 5000), on.host.address)
})

test.serial('no packet is lost while rules are applied, replaced and applied by a restarted daemon', async (t) => {
  const on = await createFirewalledHosts(t, 'vxlan')
  await on.host.run('iptables-restore --noflush', ENGINE_RULES['28.5'])
  await on.protect()
  const ping = await on.remote.spawn(`ping -i 0.01 -q ${on.container.address}`)
  for (const jump of ['FORWARD 1', 'FORWARD 2']) await on.host.run(`iptables -I ${jump} -i nowhere -j DROP`)
  const saved = async (): Promise<string> => on.host.run('iptables-save -t filter')
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
  next.want([{ ...INPUT, network: prefix('10.2.0.0/15') }])
  await next.settled()
  t.is(next.status().error, undefined)
  ping.kill('SIGINT')
  await ping.exit
  t.regex(ping.output(), /, 0% packet loss/)
})
