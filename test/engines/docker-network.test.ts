// `flanneld docker-network` against real engines.
import test, { type ExecutionContext } from 'ava'
import { startDocker } from '../lab/world/docker.ts'
import { ENGINES, type EngineVersion, installEngine } from '../lab/world/engines.ts'
import { type Host, type Lab, createLab } from '../lab/world/lab.ts'

const LEASE = {
  FLANNEL_NETWORK: '10.2.0.0/16',
  FLANNEL_SUBNET: '10.2.21.1/24',
  FLANNEL_MTU: '1450',
  FLANNEL_IPMASQ: 'false',
}

/** A host on this engine with a lease; no flanneld runs. */
async function leased(t: ExecutionContext, version: EngineVersion): Promise<{ lab: Lab; host: Host }> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const host = await installEngine(await lan.host(121), version, 'nft')
  await lease(host, {})
  return { lab, host }
}

async function lease(host: Host, change: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries({ ...LEASE, ...change }).map(([name, value]) => `${name}=${value}\n`)
  await host.run('cat >/run/flannel/subnet.env', lines.join(''))
}

for (const version of Object.keys(ENGINES) as EngineVersion[]) {
  test.serial(`docker-network on ${version}: created, then right, then reported with its differences`, async (t) => {
    const { lab, host } = await leased(t, version)
    const docker = await startDocker(lab, host, '')
    const make = (args = ''): Promise<string> => host.run(`flanneld docker-network ${args}`)
    t.is(await make(), 'docker network flannel: created: subnet 10.2.21.0/24, gateway 10.2.21.1, mtu 1450\n')
    t.is(await make(), 'docker network flannel: right: subnet 10.2.21.0/24, gateway 10.2.21.1, mtu 1450\n')
    t.is((await host.run('docker network ls -q --filter name=flannel')).trim().split('\n').length, 1)

    const container = await docker.container('aa', '--network flannel --stop-signal=KILL')
    t.is(container.address, '10.2.21.2')
    t.regex(await container.run('ip link show eth0'), /mtu 1450/)
    t.regex(await container.run('ip route'), /default via 10\.2\.21\.1/)

    await lease(host, { FLANNEL_MTU: '1400', FLANNEL_IPMASQ: 'true' })
    const advice = /disconnect its 1 containers, run "docker network rm flannel" and this again/
    const differs = await t.throwsAsync(make())
    t.regex(differs.message, /differs: mtu: 1450, should be 1400; masquerade: true, should be false: /)
    t.regex(differs.message, advice)
    await lease(host, { FLANNEL_SUBNET: '10.2.60.1/24' })
    await t.throwsAsync(make(), {
      message:
        /differs: subnet: 10\.2\.21\.0\/24, should be 10\.2\.60\.0\/24; gateway: 10\.2\.21\.1, should be 10\.2\.60\.1: /,
    })
    t.regex(await container.run('ip addr show eth0'), /10\.2\.21\.2/, 'and nothing was changed')

    await lease(host, {})
    await t.throwsAsync(make('other'), {
      message: /docker network other: network flannel has 10\.2\.21\.0\/24 already/,
    })
    await host.run('docker network create --subnet 172.29.0.0/16 foreign')
    await t.throwsAsync(make('foreign'), { message: /docker network foreign: differs: subnet: 172\.29\.0\.0\/16/ })
    await host.run('docker rm -f aa && docker network rm flannel')
    t.regex(await make('-docker-socket /run/docker.sock containers.one'), /^docker network containers\.one: created/)
    t.regex(
      await host.run(
        'DOCKER_HOST=unix:///run/docker.sock flanneld docker-network containers.one -subnet-file=/run/flannel/subnet.env',
      ),
      /: right: /,
    )
  })

  test.serial(
    `docker-network on ${version}: with docker0 on the leased subnet it says so and makes nothing`,
    async (t) => {
      const { lab, host } = await leased(t, version)
      await startDocker(lab, host, '--bip=10.2.21.1/24')
      await t.throwsAsync(host.run('flanneld docker-network'), {
        message: /docker network flannel: docker0 has 10\.2\.21\.0\/24 already \(dockerd --bip\)/,
      })
      t.notRegex(await host.run('docker network ls'), /flannel/)
    },
  )
}

test.serial(
  'docker-network without an engine, without a lease, with a bad name: one line that says what to do',
  async (t) => {
    const { host } = await leased(t, '20.10')
    const refused = async (command: string, message: RegExp): Promise<void> => {
      const error = await t.throwsAsync(host.run(command))
      t.regex(error.message, message)
      t.is(error.message.match(/^flanneld: |: flanneld: /gm)?.length, 1, error.message)
    }
    await refused('flanneld docker-network', /docker: \/var\/run\/docker\.sock: not there: is dockerd running/)
    await refused('DOCKER_HOST=tcp://1.2.3.4 flanneld docker-network', /DOCKER_HOST: tcp:\/\/1\.2\.3\.4: not a unix/)
    await refused('flanneld docker-network bridge', /"bridge": not a name for a network/)
    await refused('flanneld docker-network a b', /"b": one name at a time/)
    await host.run('rm /run/flannel/subnet.env')
    await refused('flanneld docker-network', /subnet file: .*: not there: is flanneld running/)
  },
)
