// A daemon on a host whose devices come and go so fast that every list the kernel makes is interrupted: it starts, adds
// peers, repairs damage, and its verbs answer, as on a quiet host.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { preloaded } from '../lab/preload/preload.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test.serial(
  'with every list interrupted the daemon starts, adds peers, repairs, starts again and is taken off',
  async (t) => {
    const lan = await (await createLab(t)).lan()
    const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
    await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
    const program = preloaded(t, 'interrupted-dumps')
    const first = await startFlanneld(host, ARGS, program)
    await waitForSubnetEnv(host, first)
    await first.line(/ ready: /)

    await putLeases(etcd, [{ name: '10.2.200.0-24', value: vxlanValue('192.168.19.200', '0a:00:00:00:00:c8') }])
    const route = async (): Promise<boolean> => (await host.run('ip route show 10.2.200.0/24 proto 142')) !== ''
    await waitFor('the route to the peer', route)
    for (const damage of ['ip route del 10.2.200.0/24', 'ip link del flannel.1', 'ip link set flannel.1 down']) {
      await host.run(damage)
      await waitFor(`${damage}: the device to be back`, async () =>
        /inet 10\.2\.\d+\.0\/32/.test(await host.run('ip addr show up dev flannel.1')),
      )
      await waitFor(`${damage}: the route to be back`, route)
    }
    const doctor = await runVerb(host, 'doctor', program)
    t.notRegex(doctor.output, /EINTR|changed while/)

    await first.stop('SIGKILL')
    const second = await startFlanneld(host, ARGS, program)
    await second.line(/ ready: /)
    for (const daemon of [first, second]) t.deepEqual(errors(daemon), [], daemon.output())
    t.is((await second.stop()).code, 0)
    const cleaned = await runVerb(host, 'cleanup', program)
    t.is(cleaned.code, 0, cleaned.output)
    t.is(await host.run('ip -o link show type vxlan; ip route show proto 142'), '')
  },
)
