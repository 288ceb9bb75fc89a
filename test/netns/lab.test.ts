// The lab itself: that hosts are worlds of their own, reach each other as wired, and leave nothing behind.
import test from 'ava'
import { existsSync } from 'node:fs'
import { createLab } from '../lab/world/lab.ts'

test('hosts of a local network reach each other and have their own names, processes and /run', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [a, b] = await Promise.all([lan.host(121), lan.host(122)])
  await a.run(`ping -c 1 -W 2 ${b.address}`)
  t.is((await b.run('hostname')).trim(), 'host122')
  await a.run('echo a >/run/flannel/subnet.env')
  await t.throwsAsync(b.run('cat /run/flannel/subnet.env'), { message: /No such file/ })
  t.not(await a.run('cat /etc/machine-id'), await b.run('cat /etc/machine-id'))
})

test('local networks reach each other by a router alone', async (t) => {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  await lab.router(near, far)
  const [a, b] = [await near.host(121), await far.host(123)]
  await a.run(`ping -c 1 -W 2 ${b.address}`)
  t.regex(await a.run(`ip route get ${b.address}`), /via 192\.168\.19\.1 dev enp0s3/)
})

test('closing a lab ends what runs in it; a program can be stopped by its pid before', async (t) => {
  const lab = await createLab(t)
  const host = await (await lab.lan()).host(121)
  const stopped = await host.spawn('sleep 1000')
  const left = await host.spawn('sleep 1000')
  t.deepEqual(await stopped.stop(), { code: null, signal: 'SIGTERM' })
  t.true(existsSync(`/proc/${left.pid}`))
  await lab.close()
  await left.exit
  t.false(existsSync(`/proc/${left.pid}`))
  t.false(existsSync(`/proc/${host.pid}`))
})
