// udp beside Docker 28's rules: what comes out of its TUN device passes them, and its port is guarded like VXLAN's.
import test from 'ava'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { createContainer } from '../lab/world/container.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'

const TABLE = 'flannel-guard-udp-8285'

test('containers reach each other past Docker 28’s rules, and a stranger to the port is dropped and counted', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'udp' } })
  const join = async (last: number) => {
    const host = await lan.host(last)
    const daemon = await startFlanneld(host, `${ARGS} -probe-interval=0`)
    const container = await createContainer(host, await waitForSubnetEnv(host, daemon))
    await host.run('iptables-restore --noflush', dockerFor(container.address))
    await waitFor('our rules', async () => (await host.run('iptables-save')).includes(':FLANNEL-USER'))
    return { host, daemon, container }
  }
  const [a, b] = await Promise.all([join(121), join(122)])
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    await waitFor(`${from.host.name} to ${to.host.name}`, async () =>
      (await from.container.run(`ping -c 1 -W 1 ${to.container.address} || :`)).includes(' 0% packet loss'),
    )
  t.regex(await a.host.run('iptables-save -t raw'), /-A FLANNEL-OVERLAY -s 10\.2\.0\.0\/16 -d \S+ -i flannel0 .*ACCEPT/)

  const stranger = await lan.host(123)
  const dropped = async (): Promise<number> =>
    Number(/packets (\d+)/.exec(await a.host.run(`nft list counter inet ${TABLE} dropped`))?.[1])
  t.is(await dropped(), 0)
  await stranger.run(`bash -c "echo forged >/dev/udp/${a.host.address}/8285"`)
  await waitFor('the guard to drop it', async () => (await dropped()) === 1)
  await a.host.run(`nft delete table inet ${TABLE}`)
  await waitFor('the guard again', async () => (await a.host.run('nft list tables')).includes(TABLE))

  // A config without udp leaves no guard of its port, whether it changes live or while no daemon runs.
  const guards = async (): Promise<string | undefined> =>
    (await a.host.run('nft list tables')).match(/flannel-guard-\S+/g)?.join()
  const configure = (type: string): Promise<void> => etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: type } })
  await configure('vxlan')
  await waitFor('the guard of vxlan alone', async () => (await guards()) === 'flannel-guard-1')
  await configure('udp')
  await waitFor('that of udp alone', async () => (await guards()) === TABLE)
  await a.daemon.stop()
  await configure('vxlan')
  await startFlanneld(a.host, `${ARGS} -probe-interval=0`)
  await waitFor('that of vxlan alone again', async () => (await guards()) === 'flannel-guard-1')
})

/** What engine 28 has for one container (docker-rules.ts has it all). */
function dockerFor(address: string): string {
  return `*raw
-A PREROUTING -d ${address}/32 ! -i docker0 -j DROP
COMMIT
*nat
:DOCKER - [0:0]
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -j ACCEPT
COMMIT
`
}
