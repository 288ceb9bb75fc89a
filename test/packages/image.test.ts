// The image, built and run by a real engine; no base image can be had here, so that is a Debian 13 with what it needs.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { createContainer } from '../lab/world/container.ts'
import { startDocker } from '../lab/world/docker.ts'
import { ENGINES } from '../lab/world/engines.ts'
import { ROOT, SINGLE_FILE, waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const COMPOSE = join(ROOT, 'examples/compose/compose.yaml')
const DOCKERFILE = join(ROOT, 'packaging/oci/Dockerfile')

/** Gives an engine the image `base`: the Debian of an engine without that engine, and with etcd. */
async function importBase(host: Host): Promise<void> {
  const without = ['docker*', 'containerd*', 'ctr', 'runc', 'perl*', 'locale', 'boot'].map((it) => `--exclude='${it}'`)
  await host.run(
    `tar -C ${join(ROOT, ENGINES['26.1'])} ${without.join(' ')} -cf /run/base.tar . &&
     tar -C / -rf /run/base.tar --transform 's,^,./,' usr/bin/etcd usr/bin/etcdctl &&
     docker import - base </run/base.tar >/dev/null && rm /run/base.tar`,
  )
}

/** The command by which the Dockerfile says the image is to be run, with these arguments of the daemon. */
function documentedRun(args: string): string {
  const text = execFileSync('cat', [DOCKERFILE], { encoding: 'utf8' }).replaceAll(/^#/gm, '').replaceAll('\\\n', '')
  const [, command] = /(docker run .*? flanneld) -etcd-endpoints/.exec(text) ?? []
  if (command === undefined) throw new Error(`${DOCKERFILE}: does not say how to run it`)
  return `${command} ${args}`
}

test('the image runs as documented, in one network with a host without it', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const [host, other] = await Promise.all([lan.host(121), lan.host(122)])
  const docker = await startDocker(lab, host, '')
  await importBase(host)
  await host.run(`cd ${ROOT} && docker build -t flanneld --build-arg BASE=base -f packaging/oci/Dockerfile .`)
  const version = execFileSync(SINGLE_FILE, ['-version'], { encoding: 'utf8' })
  // The paths of Go's image: as the command, and as the entry point.
  const ways = [
    'flanneld -version',
    'flanneld /opt/bin/flanneld -version',
    '--entrypoint /opt/bin/flanneld flanneld -version',
  ]
  for (const words of ways) t.is(await host.run(`docker run --rm --network none ${words}`), version)

  await host.run('touch /run/xtables.lock')
  const id = (await host.run(documentedRun(ARGS))).trim()
  await waitFor('subnet.env', () => subnetEnv(host), 60_000).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${await host.run(`docker logs ${id} 2>&1`)}`)
  })
  await host.run(`${SINGLE_FILE} docker-network`)
  const a = await docker.container('aa', '--network flannel')
  const b = await createContainer(other, await waitForSubnetEnv(other, await startFlanneld(other, ARGS)))
  await waitFor('containers to reach each other', () => a.run(`ping -c 1 -W 1 ${b.address}`), 60_000)
  t.regex(await host.run('iptables-save'), /-j FLANNEL-FWD/)
  // By the image's own nft: an older one may crash at what a newer has written (docs/install.md).
  t.regex(await host.run(`docker exec ${id} nft list tables`), /flannel-guard-1/)
  t.regex(await host.run(`docker exec ${id} flanneld status`), /healthy/)
  t.is((await host.run('ps -C flanneld -o comm=')).trim(), 'flanneld')
  for (const words of ['flanneld /opt/bin/mk-docker-opts.sh', '--entrypoint /opt/bin/mk-docker-opts.sh flanneld']) {
    await host.run(
      `docker run --rm --network none -v /run/flannel:/run/flannel ${words} -k NETWORK -d /run/flannel/docker`,
    )
    t.regex(await host.run('cat /run/flannel/docker && rm /run/flannel/docker'), /^NETWORK=" --bip=10\.2\.\d+\.1\/24 /m)
  }

  // Stopped in time, and what is in the kernel stays.
  const began = performance.now()
  await host.run(`docker stop ${id}`)
  t.true(performance.now() - began < 9_000, 'it was not killed')
  t.is((await host.run(`docker inspect -f '{{.State.ExitCode}}' ${id}`)).trim(), '0')
  await a.run(`ping -c 1 -W 1 ${b.address}`)

  await host.run(documentedRun(`cleanup ${ARGS}`).replace(' -d ', ' --rm '))
  t.notRegex(await host.run('ip -br link && iptables-save && ls /run/flannel'), /flannel|FLANNEL|subnet\.env/)
})

test('the example for compose is a network of two hosts', async (t) => {
  const lab = await createLab(t)
  const host = await (await lab.lan()).host(121)
  await startDocker(lab, host, '')
  await importBase(host)
  const compose = (args: string): Promise<string> => host.run(`BASE=base docker-compose -f ${COMPOSE} ${args}`)
  await compose('config -q')
  await compose('up --build -d 2>&1')
  const address = async (name: string): Promise<string> =>
    waitFor(`${name} to say its address`, async () => /is ([\d.]+)/.exec(await compose(`logs ${name}`))?.[1], 60_000)
  const [one, two] = [await address('web1'), await address('web2')]
  t.not(one, two)
  await waitFor('web2 to answer', () => compose(`exec -T web1 wget -qO- http://${two}:8000`), 60_000)
  t.is(await compose(`exec -T web1 wget -qO- http://${two}:8000`), 'hello from web2\n')
  t.is(await compose(`exec -T web2 wget -qO- http://${one}:8000`), 'hello from web1\n')
  t.regex(await compose('exec -T host1 flanneld status'), /healthy/)
  await compose('down -v 2>&1')
  t.is(await host.run('docker ps -aq'), '')
})
