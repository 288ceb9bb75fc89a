// Docker on its default bridge, and that bridge within Network: what the daemon says, and when it is over.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

interface Told {
  readonly status: {
    readonly conditions: readonly { readonly code: string; readonly level: string; readonly run: string | null }[]
  }
}

test('a bridge of containers within Network is reported, with the command to run, and prevents no start', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const host = await lan.host(121)
  await etcd.configure({ Network: '172.17.0.0/16', Backend: { Type: 'vxlan' } })
  // As dockerd leaves its bridge without --bip, with a container on it.
  await host.run(`ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up
    ip link add v0 type veth peer name v1; ip link set v0 master docker0 up`)
  const daemon = await startFlanneld(host, ARGS)
  const subnet = (await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'] ?? ''
  const told = async (): Promise<Told['status']['conditions'][number] | undefined> =>
    (JSON.parse(await host.run(`${BUNDLE} status -json || true`)) as Told).status.conditions.find(
      ({ code }) => code === 'network-overlap',
    )
  t.like(await waitFor('the condition', told), { level: 'warning', run: 'flanneld docker-opts' })
  const line =
    /W.*Network: 172\.17\.0\.0\/16 overlaps 172\.17\.0\.0\/16 on docker0: .*docker-opts, and restart dockerd/g
  t.is(daemon.output().match(line)?.length, 1)

  await host.run(`ip addr add ${subnet} dev docker0; ip addr del 172.17.0.1/16 dev docker0`)
  await waitFor('its end', async () => (await told()) === undefined)
  t.deepEqual(errors(daemon), [])
})
