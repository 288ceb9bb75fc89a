// recv(2) of a real daemon's netlink sockets fails with unexpected errors: the daemon keeps running, logs it once, and misses nothing.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { preloaded } from '../lab/preload/preload.ts'
import { waitFor } from '../lab/instruments/wait.ts'

// Audits so far apart that only notifications can find anything.
const ARGS = '-audit-interval=3600'

test('the socket of notifications fails four times: another is opened, and damage meanwhile is repaired', async (t) => {
  const { nodes } = await createCluster(t, { program: preloaded(t, 'failing-recv'), args: ARGS })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) throw new Error('two hosts were asked for')
  const { host, daemon } = own
  const route = `${peer.subnet}.0/24`
  const repaired = async (what: string): Promise<void> => {
    await host.run(`ip route del ${route}`)
    await waitFor(what, async () => (await host.run(`ip route show ${route}`)) !== '')
  }
  await host.run('truncate -s 4 /run/fail-heard')
  await repaired('the route deleted while nothing was received')
  await waitFor('all four failures', async () => (await host.run('stat -c %s /run/fail-heard')).trim() === '0')
  await repaired('a route deleted later')
  await waitFor('notifications to be received again', () => /found by notification/.test(daemon.output()))
  const said = daemon.output().match(/^.*notifications: .*$/gm) ?? []
  t.is(said.length, 1, daemon.output())
  t.regex(said[0] ?? '', /^W.*netlink: recv: EINVAL: opening another socket/)
  await own.container.run(`ping -c 1 -W 5 ${peer.container.address}`)
  t.is((await daemon.stop()).code, 0)
})

test('the socket of questions fails, in the middle of a repair: it is tried again', async (t) => {
  const { nodes } = await createCluster(t, { program: preloaded(t, 'failing-recv'), args: ARGS })
  const [own, peer] = nodes
  if (own === undefined || peer === undefined) throw new Error('two hosts were asked for')
  const { host, daemon } = own
  const route = `${peer.subnet}.0/24`
  await host.run(`truncate -s 3 /run/fail-asked; ip route del ${route}`)
  await waitFor('the route', async () => (await host.run(`ip route show ${route}`)) !== '')
  await waitFor('all failures', async () => (await host.run('stat -c %s /run/fail-asked')).trim() === '0')
  t.is((await daemon.stop()).code, 0)
})
