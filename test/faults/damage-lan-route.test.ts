// The route to the hosts' own LAN is gone for a while, as when a DHCP client or an operator replaces it: peers on that
// LAN stay peers, and what could not be restored without it is restored with it.
import test from 'ava'
import { type Node, createCluster, reaches } from '../lab/scenarios/cluster.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const LAN = '192.168.19.0/24 dev enp0s3 proto kernel scope link src 192.168.19.121'

test.serial('the route to the LAN deleted: no peer leaves, no packet is lost (host-gw)', async (t) => {
  const { nodes } = await createCluster(t, { backend: { Type: 'host-gw' }, args: '-audit-interval=1' })
  const [a, b] = nodes as [Node, Node]
  const before = (await kernelText(a.host)).ours
  const pings = await startPings(a.container, b.container.address)
  await waitFor('pings', () => pings.received() > 5)
  await a.host.run(`ip route del ${LAN}`)
  // An audit asks the host for its interface again, and puts subnet.env back last.
  for (const audit of ['the first audit', 'the second audit']) {
    await a.host.run('rm /run/flannel/subnet.env')
    await waitFor(audit, async () => (await a.host.run('ls /run/flannel')).includes('subnet.env'))
  }
  t.is((await kernelText(a.host)).ours, before)
  t.notRegex(a.daemon.output(), / left:|refused/)
  await a.host.run(`ip route add ${LAN}`)
  t.is((await pings.stop()).lost, 0)
})

for (const type of ['host-gw', 'vxlan'])
  test.serial(
    `the route to the LAN and all our routes gone for a while: healthy when they return (${type})`,
    async (t) => {
      const args = '-audit-interval=600 -nexthop-objects=never'
      const { nodes } = await createCluster(t, { backend: { Type: type }, args })
      const [a, b] = nodes as [Node, Node]
      const before = (await kernelText(a.host)).ours
      const refused = async (): Promise<boolean> =>
        type === 'vxlan' ? (await kernelText(a.host)).ours === before : / kernel refused add /.test(a.daemon.output())
      await a.host.run(`ip route del ${LAN}; ip route flush proto 142`)
      await waitFor('what can be put back is, the rest refused', refused)
      const pings = await startPings(a.container, b.container.address)
      t.false(await reaches(a, b))
      t.is(pings.received(), 0)
      await a.host.run(`ip route add ${LAN}`)
      const start = Date.now()
      const whole = async (): Promise<boolean> => pings.received() > 0 && (await kernelText(a.host)).ours === before
      await waitFor('a complete host, and packets flow', whole)
      const ms = Date.now() - start
      t.notRegex(a.daemon.output(), / left:|lease refused/)
      await pings.stop()
      const fault = `routes to the LAN and to peers gone for a while (${type})`
      await record({ fault, promise: 'repaired within 1 s', limit: 1000, ms, test: t.title })
    },
  )
