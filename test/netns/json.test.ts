// What status, peers and events print as JSON has the fields that docs/json.md names, each of them, and no others.
import test from 'ava'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { assertDocumented } from '../lab/instruments/json-doc.ts'
import { createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('docs/json.md has every field of status, peers and events, with and without a daemon', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [host, other] = [await lan.host(121), await lan.host(122)]
  const status: unknown[] = []
  const peers: unknown[] = []
  const ask = async (args: string): Promise<unknown> => JSON.parse((await runVerb(host, args)).stdout)
  const daemon = await startFlanneld(host, ARGS)
  await waitFor('an answer', async () => JSON.stringify(await ask('status --json')).includes('waiting for etcd'))
  status.push(await ask('status --json'))

  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.76.0', Backend: { Type: 'vxlan' } })
  await host.run('ip route add 10.2.77.0/24 via 192.168.19.1 dev enp0s3 proto static')
  await putLeases(etcd, [
    { name: '10.2.77.0-24', value: vxlanValue('192.168.19.177', '0a:00:00:00:00:4d') },
    { name: '10.9.9.0-24', value: vxlanValue('192.168.19.99', '0a:00:00:00:00:63') },
  ])
  await waitForSubnetEnv(host, daemon)
  const peer = await startFlanneld(other, ARGS)
  await peer.line(/ready:/)
  await waitFor('probes, a conflict and a refused lease', async () => {
    const { status: now } = (await ask('status --json')) as {
      status: { peers: Record<string, number>; kernel: { conflicts: unknown[] } }
    }
    const { peers: states, kernel } = now
    return states['up'] === 1 && states['unreachable'] === 1 && states['refused'] === 1 && kernel.conflicts.length === 1
  })
  const subnet = (await host.run('ip route show dev flannel.1 proto 142')).split(' ')[0] ?? ''
  await host.run(`ip route del ${subnet}`)
  await waitFor('a repair', async () => JSON.stringify(await ask('status --json')).includes(`route ${subnet} deleted`))
  status.push(await ask('status --json'))
  peers.push(await ask('peers --json'))
  const lines = (await runVerb(host, 'events --json')).stdout.trim().split('\n')
  assertDocumented(
    t,
    'events',
    lines.map((line) => JSON.parse(line) as unknown),
  )

  await daemon.stop()
  status.push(await ask('status --json'), await ask(`status --json ${ARGS}`))
  peers.push(await ask('peers --json'), await ask(`peers --json ${ARGS}`))
  await etcd.run('ip link set enp0s3 down')
  status.push(await ask(`status --json ${ARGS}`))
  // What stands is rare: a host with which all is well has none.
  const standing = ['code', 'since', 'level', 'gist', 'text', 'run']
  assertDocumented(t, 'status', status, [
    ...standing.map((field) => `status.conditions[].${field}`),
    ...['code', 'level', 'text', 'run'].map((field) => `verdict.remarks[].${field}`),
    'status.conditions[]',
    'verdict.remarks[]',
  ])
  const inFamily = ['family', 'subnet', 'publicAddress', 'via', 'state', 'rttMs', 'loss', 'pathMtu', 'since', 'cause']
  const families = ['[]', ...[...inFamily, 'why', 'note'].map((field) => `[].${field}`)]
  assertDocumented(
    t,
    'peers',
    peers,
    families.map((path) => `peers[].families${path}`),
  )
})
