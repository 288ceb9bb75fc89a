// `flanneld leases`, by the daemon and without one: who has what, until when, what is reserved and what is free.
import test from 'ava'
import type { LeaseView } from '../../src/view/leases.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { keyOf, putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test("leases: those of a running host, of a stopped one, of Go's flanneld, a reservation, and an unreadable one", async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  const [host, desk] = [await lan.host(121), await lan.host(122)]
  const empty = await runVerb(desk, `leases ${ARGS}`)
  t.deepEqual([empty.code, empty.output], [0, 'no network config\n'])

  await etcd.configure({ Network: '10.2.0.0/24', SubnetLen: 28, Backend: { Type: 'vxlan' } })
  t.is((await runVerb(desk, `leases ${ARGS}`)).output, '0 of 15 subnets used, 0 reserved, next free 10.2.0.16/28\n')
  await putLeases(etcd, [
    { name: '10.2.0.16-28', value: '{"PublicIP":"192.168.19.150","PublicIPv6":null}' },
    { name: '10.2.0.64-28', value: 'x' },
    { name: 'x', value: vxlanValue('192.168.19.152', '0a:00:00:00:00:02') },
  ])
  // Go renews an hour before the end: this one has not come.
  const granted = await etcd.etcdctl('lease grant 3000')
  const id = /lease ([0-9a-f]+) granted/.exec(granted)?.[1] ?? ''
  await etcd.run(
    `etcdctl put '${keyOf('10.2.0.48-28')}' --lease=${id}`,
    vxlanValue('192.168.19.151', '0a:00:00:00:00:01'),
  )
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)

  const asked = await runVerb(host, 'leases')
  t.is(asked.code, 0)
  const [heading = '', ...lines] = asked.stdout.trimEnd().split('\n')
  t.regex(heading, /^SUBNET +PUBLIC IP +TYPE +KIND +EXPIRES IN +HOST +NOTE$/)
  const ours = lines.find((line) => line.includes('192.168.19.121')) ?? ''
  t.regex(ours, /^10\.2\.0\.\d+\/28 +192\.168\.19\.121 +vxlan +lease +(23h 59m|1d) +[0-9a-f]{8} +this host$/)
  const rest = lines.filter((line) => line !== ours)
  for (const [i, pattern] of [
    /^10\.2\.0\.16\/28 +192\.168\.19\.150 +- +reservation +never +- +awaits its host$/,
    /^10\.2\.0\.48\/28 +192\.168\.19\.151 +vxlan +lease +\d+m +- +expiring: not renewed for \d+s$/,
    /^10\.2\.0\.64\/28 +- +- +reservation +never +- +unreadable: json$/,
    /^x +192\.168\.19\.152 +vxlan +reservation +never +- +its key names no subnet$/,
    /^4 of 15 subnets used, 2 reserved, next free 10\.2\.0\.(32|80)\/28$/,
  ].entries())
    t.regex(rest[i] ?? '', pattern)

  const view = JSON.parse((await runVerb(host, 'leases --json')).stdout) as LeaseView
  t.like(view, { network: '10.2.0.0/24', subnets: { total: 15, used: 4, reserved: 2, free: 11 } })
  t.is(
    view.leases.find((line) => line.own)?.subnet,
    own.replace(/\.(\d+)\/28/, (_, last) => `.${Number(last) - 1}/28`),
  )

  // Without the daemon the same is told, from subnet.env and etcd.
  await daemon.stop()
  const alone = JSON.parse((await runVerb(host, `leases -json ${ARGS}`)).stdout) as LeaseView
  const timeless = ({ leases }: LeaseView): unknown => leases.map((line) => ({ ...line, expiresIn: null, note: '' }))
  t.deepEqual(timeless(alone), timeless(view))
  const nowhere = await runVerb(desk, 'leases -etcd-endpoints=http://192.168.19.122:9')
  t.is(nowhere.code, 1)
  t.regex(nowhere.output, /no daemon answers here, nor etcd: etcd: http:\/\/192\.168\.19\.122:9: /)
})
