// `flanneld reserve` and `release` on real hosts: by the daemon and without one, before a host's first start and while it
// runs, over restart and renewal, and refused where another host would lose something.
import test, { type ExecutionContext } from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { type Lan, createLab } from '../lab/world/lab.ts'
import { subnetBeside } from '../lab/world/subnets.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

async function world(t: ExecutionContext): Promise<{ readonly lan: Lan; readonly etcd: EtcdHost }> {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  return { lan, etcd }
}

/** A key as etcd has it. */
async function stored(etcd: EtcdHost, subnet: string): Promise<{ value: string; lease: string } | undefined> {
  const text = await etcd.etcdctl(`get ${PREFIX}/subnets/${subnet}-24 -w json`)
  const { kvs } = JSON.parse(text) as { kvs?: { value: string; lease?: number }[] }
  const [kv] = kvs ?? []
  return kv && { value: Buffer.from(kv.value, 'base64').toString(), lease: /"lease":(\d+)/.exec(text)?.[1] ?? '0' }
}

const etcdLeases = async (etcd: EtcdHost): Promise<number> =>
  Number(/found (\d+) leases/.exec(await etcd.etcdctl('lease list'))?.[1])

test('reserved before its first start: the host takes that subnet, and keeps it over restart and renewal', async (t) => {
  const { lan, etcd } = await world(t)
  const [host, desk] = [await lan.host(121), await lan.host(122)]
  const made = await runVerb(desk, `reserve 10.2.77.0/24 192.168.19.121 ${ARGS}`)
  t.is(made.output, '10.2.77.0/24 is reserved for 192.168.19.121: its host takes it when its daemon starts\n')
  t.is(made.code, 0)
  t.deepEqual(await stored(etcd, '10.2.77.0'), {
    value: '{"PublicIP":"192.168.19.121","PublicIPv6":null}',
    lease: '0',
  })
  const again = await runVerb(desk, `reserve 10.2.77.0/24 192.168.19.121 -json ${ARGS}`)
  t.like(JSON.parse(again.stdout), { subnet: '10.2.77.0/24', publicAddress: '192.168.19.121', was: 'reservation' })

  // A peer that runs says that it waits, and complains of nothing.
  const peer = await startFlanneld(desk, ARGS)
  await peer.line(/10\.2\.77\.0-24: reserved: 10\.2\.77\.0\/24 awaits its host/)

  const first = await startFlanneld(host, ARGS)
  t.is((await waitForSubnetEnv(host, first))['FLANNEL_SUBNET'], '10.2.77.1/24')
  t.regex((await stored(etcd, '10.2.77.0'))?.value ?? '', /"BackendType":"vxlan","BackendData":\{"VNI":1,"VtepMAC"/)
  await waitFor('the route to it', async () => (await desk.run('ip route show 10.2.77.0/24')) !== '')
  await first.line(/ ready: /)
  await first.stop()

  const second = await startFlanneld(host, `${ARGS} -healthz-port=9000`)
  await second.line(/ ready: /)
  const renewed = /flannel_lease_renewals_total\{result="renewed"\} [1-9]/
  await waitFor('a renewal', async () => renewed.test((await askHealthPort(host, '/metrics')).text), 60_000)
  t.is((await subnetEnv(host))['FLANNEL_SUBNET'], '10.2.77.1/24')
  t.is((await stored(etcd, '10.2.77.0'))?.lease, '0')
  t.is(await etcdLeases(etcd), 1, 'that of the other host')
  for (const daemon of [peer, first, second]) t.deepEqual(errors(daemon), [])
})

test("a running host's lease is reserved and given back by its own daemon: nothing else changes", async (t) => {
  const { lan, etcd } = await world(t)
  const host = await lan.host(121)
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const subnet = own.replace('.1/', '.0/')
  const address = subnet.replace('/24', '')
  const before = await stored(etcd, address)

  const reserved = await runVerb(host, `reserve ${subnet} 192.168.19.121`)
  t.deepEqual([reserved.code, reserved.output.includes('its host has it')], [0, true], reserved.output)
  t.deepEqual(await stored(etcd, address), { value: before?.value ?? '', lease: '0' })
  t.is(await etcdLeases(etcd), 0)
  await daemon.line(/written again: (key changed|etcd lease expired)/)

  const released = await runVerb(host, `release ${subnet} -json`)
  t.like(JSON.parse(released.stdout), { subnet, now: 'lease' }, released.output)
  const after = await stored(etcd, address)
  t.is(after?.value, before?.value)
  t.not(after?.lease, '0')
  await waitFor('one etcd lease', async () => (await etcdLeases(etcd)) === 1)
  await daemon.stop()
  const next = await startFlanneld(host, ARGS)
  await next.line(/ ready: /)
  t.deepEqual([(await subnetEnv(host))['FLANNEL_SUBNET'], await etcdLeases(etcd)], [own, 1])
  for (const it of [daemon, next]) t.deepEqual(errors(it), [])
})

test('a host that holds another subnet moves to its reservation at its next start, and leaves nothing behind', async (t) => {
  const { lan, etcd } = await world(t)
  const host = await lan.host(121)
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const wanted = own === '10.2.5.1/24' ? '10.2.6.0/24' : '10.2.5.0/24'
  const made = await runVerb(host, `reserve ${wanted} 192.168.19.121`)
  t.regex(made.output, /192\.168\.19\.121 holds 10\.2\.\d+\.0\/24 until its daemon starts again/)
  t.is((await subnetEnv(host))['FLANNEL_SUBNET'], own)
  await daemon.stop()
  const next = await startFlanneld(host, ARGS)
  await next.line(/ ready: /)
  t.is((await subnetEnv(host))['FLANNEL_SUBNET'], wanted.replace('.0/', '.1/'))
  t.deepEqual(await etcd.leases(), [wanted.replace('/', '-')])
  await waitFor('no etcd lease', async () => (await etcdLeases(etcd)) === 0)
})

test('what another host has is never taken, with or without a daemon', async (t) => {
  const { lan, etcd } = await world(t)
  const [host, desk] = [await lan.host(121), await lan.host(122)]
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const subnet = own.replace('.1/', '.0/')
  const [awaited, free] = [`${subnetBeside(own)}/24`, `${subnetBeside(own, subnetBeside(own))}/24`]
  t.is((await runVerb(desk, `reserve ${awaited} 192.168.19.150 ${ARGS}`)).code, 0)
  const before = await etcd.etcdctl(`get --prefix ${PREFIX}/ -w json`).then((text) => text.slice(text.indexOf('"kvs"')))
  for (const [at, args, message] of [
    [desk, `reserve ${subnet} 192.168.19.9 ${ARGS}`, /leased to 192\.168\.19\.121: a lease of another host is never/],
    [host, `reserve ${subnet} 192.168.19.9`, /leased to 192\.168\.19\.121: a lease of another host is never taken/],
    [host, `reserve ${awaited} 192.168.19.9`, /reserved for 192\.168\.19\.150: release it first/],
    [host, 'reserve 10.2.0.0/24 192.168.19.9', /must be one of the network's subnets: \/24 from 10\.2\.1\.0/],
    [host, 'reserve 10.2.3.4/24 192.168.19.9', /must be a subnet, such as 10\.2\.3\.0\/24/],
    [host, 'reserve 10.2.3.0/24 myhost', /"myhost": must be an IP address/],
    [host, `release ${subnet}`, /leased to 192\.168\.19\.121, not reserved/],
    [desk, `release ${free} ${ARGS}`, /10\.2\.20\d\.0\/24: nothing reserves it/],
  ] as const) {
    const refused = await runVerb(at, args)
    t.is(refused.code, 1, args)
    t.regex(refused.output, message)
  }
  const bare = await runVerb(host, 'reserve 10.2.3.0/24')
  t.is(bare.code, 2)
  t.regex(bare.output, /^flanneld: reserve: something is missing.*\nSee flanneld reserve -help\.\n$/s)
  const after = await etcd.etcdctl(`get --prefix ${PREFIX}/ -w json`).then((text) => text.slice(text.indexOf('"kvs"')))
  t.is(after, before)
  const freed = await runVerb(host, `release ${awaited}`)
  t.is(freed.output, `${awaited} is free: no host had leased it\n`)
  t.is(await stored(etcd, awaited.replace('/24', '')), undefined)
})
