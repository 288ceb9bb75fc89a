// Hosts whose packets come from another address than the PublicIP of their leases: another address of the host's own, which
// its lease names, and one that a NAT makes, which it cannot.
import test from 'ava'
import { createContainer } from '../lab/world/container.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('the guard admits the source a lease names, reports which it dropped, and admits more by option', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const [asking, own, behind] = [await lan.host(121), await lan.host(122), await lan.host(123)]
  await own.run('ip addr add 192.168.19.222/24 dev enp0s3')
  // What a NAT between the hosts would make of it.
  await behind.run('ip addr add 192.168.19.233/32 dev lo')
  await behind.run('iptables -t nat -A POSTROUTING -p udp --dport 8472 -j SNAT --to-source 192.168.19.233')
  const args = `${ARGS} -probe-interval=0`
  const daemons = [
    await startFlanneld(asking, args),
    await startFlanneld(own, `${args} -public-ip=192.168.19.222`),
    await startFlanneld(behind, args),
  ]
  const containers = []
  for (const [i, host] of [asking, own, behind].entries()) {
    const daemon = daemons[i]
    if (daemon !== undefined) containers.push(await createContainer(host, await waitForSubnetEnv(host, daemon)))
  }
  const [here, there, natted] = containers
  if (here === undefined || there === undefined || natted === undefined) return t.fail()
  const leases = await etcd.etcdctl(`get --prefix ${PREFIX}/subnets/`)
  t.regex(leases, /"PublicIP":"192\.168\.19\.222".*"SourceIP":"192\.168\.19\.122"/)
  t.is(leases.match(/SourceIP/g)?.length, 1, 'where it is the same, nothing is said')
  const pings = async (to: string): Promise<boolean> =>
    here.run(`ping -c 1 -W 1 ${to}`).then(
      () => true,
      () => false,
    )
  await waitFor('an answer from another address of its own', () => pings(there.address))

  t.false(await pings(natted.address))
  const { stdout } = await runVerb(asking, 'status --json')
  const { status } = JSON.parse(stdout) as {
    status: { firewall: { guard: { strangers: { address: string; packets: number }[] } } }
  }
  t.deepEqual(
    status.firewall.guard.strangers.map(({ address }) => address),
    ['192.168.19.233'],
  )
  t.regex((await runVerb(asking, 'status')).stdout, /packets? of unknown senders \(192\.168\.19\.233\)/)
  const doctor = await runVerb(asking, 'doctor')
  t.regex(doctor.stdout, /192\.168\.19\.233 sends to the VXLAN port and is not a peer's address/)
  t.regex(doctor.stdout, /-vxlan-guard-allow=192\.168\.19\.233/)

  await daemons[0]?.stop()
  await waitForSubnetEnv(asking, await startFlanneld(asking, `${args} -vxlan-guard-allow=192.168.19.232/29`))
  await waitFor('an answer from behind the NAT', () => pings(natted.address))
})
