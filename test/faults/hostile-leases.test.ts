// Leases no daemon of ours or Go's would write, seen by a running daemon and by one that starts: none
// reaches the kernel, none delays the others, each is reported once.
import test, { type ExecutionContext } from 'ava'
import { warnings } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host } from '../lab/world/lab.ts'
import { type RawLease, deleteLeases, keyOf, putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import type { Running } from '../lab/world/process.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

/** Our own subnet: asked for by the subnet.env that is there before the start. */
const OWN = '10.2.1.0'

interface Bad extends RawLease {
  readonly what: string
  readonly reason: string
}

let number = 0
/** A bad lease: at a subnet of its own unless it is the name that is bad, with a good value unless that is. */
function bad(what: string, reason: string, { name, value }: Partial<RawLease>): Bad {
  const n = ++number
  const good = vxlanValue(`192.168.19.${150 + (n % 90)}`, mac(n))
  return { what, reason, name: name ?? `10.2.${10 + n}.0-24`, value: value ?? good }
}
const mac = (n: number): string => `0a:00:00:00:01:${n.toString(16).padStart(2, '0')}`
const at = (address: unknown): Partial<RawLease> => ({ value: vxlanValue('', mac(++number), { PublicIP: address }) })
const data = (of: unknown, type: unknown = 'vxlan'): Partial<RawLease> => ({
  value: vxlanValue('192.168.19.149', '', { BackendData: of, BackendType: type }),
})

const BAD: readonly Bad[] = [
  bad('not JSON', 'json', { value: 'nonsense' }),
  bad('half JSON', 'json', { value: '{"PublicIP":"192.168.19.150"' }),
  bad('nothing', 'json', { value: '' }),
  bad('null', 'json', { value: 'null' }),
  bad('a list', 'json', { value: '[]' }),
  bad('a number', 'json', { value: '42' }),
  bad('bytes', 'json', { value: Buffer.from([0, 255, 254, 128, 10, 13, 27]) }),
  bad('an empty object', 'public-ip', { value: '{}' }),
  bad('deep nesting', 'oversized', { value: '['.repeat(100_000) }),
  bad('200 kB', 'oversized', { value: vxlanValue('192.168.19.150', mac(1), { x: 'x'.repeat(200_000) }) }),
  bad('an address that is a number', 'public-ip', at(42)),
  bad('an address that is none', 'public-ip', at('192.168.19.999')),
  bad('an address with a leading zero', 'public-ip', at('192.168.019.1')),
  bad('address zero', 'public-ip', at('0.0.0.0')),
  bad('a loopback address', 'public-ip', at('127.0.0.1')),
  bad('a multicast address', 'public-ip', at('224.0.0.1')),
  bad('the broadcast address', 'public-ip', at('255.255.255.255')),
  bad("the LAN's broadcast address", 'public-ip', at('192.168.19.255')),
  bad("the LAN's own address", 'public-ip', at('192.168.19.0')),
  bad('an address inside the overlay', 'public-ip', at('10.2.200.7')),
  bad('an IPv6 address for an IPv4 one', 'public-ip', at('fc00::1')),
  bad('no backend type', 'backend-type', data({}, null)),
  bad('a backend type that is a number', 'backend-type', data({}, 7)),
  bad('an unknown backend type', 'backend-type', data({}, 'magic')),
  bad('no backend data', 'backend-data', data(undefined)),
  bad('backend data that is a text', 'backend-data', data('VtepMAC')),
  bad('no MAC', 'mac', data({ VNI: 1 })),
  bad('a MAC that is a number', 'mac', data({ VNI: 1, VtepMAC: 1 })),
  bad('a MAC that is none', 'mac', data({ VNI: 1, VtepMAC: '0a:00' })),
  bad('MAC zero', 'mac', data({ VNI: 1, VtepMAC: '00:00:00:00:00:00' })),
  bad('a multicast MAC', 'mac', data({ VNI: 1, VtepMAC: '01:00:5e:00:00:01' })),
  bad('the broadcast MAC', 'mac', data({ VNI: 1, VtepMAC: 'ff:ff:ff:ff:ff:ff' })),
  bad('another VNI', 'vni', data({ VNI: 2, VtepMAC: mac(99) })),
  bad('a VNI that is a text', 'vni', data({ VNI: '1', VtepMAC: mac(99) })),
  bad('a VNI with a toString of its own', 'vni', data({ VNI: { toString: 1 }, VtepMAC: mac(99) })),
  bad('a VNI nested 500 deep', 'vni', data(JSON.parse(`{"VNI":${'['.repeat(500)}${']'.repeat(500)}}`))),
  bad('a MAC with a toJSON of its own', 'mac', data({ VNI: 1, VtepMAC: { toJSON: 1, toString: 1 } })),
  bad('a backend type of 10,000 hidden characters', 'backend-type', data({}, '\u202e\u2028\u200b'.repeat(1_500))),
  bad('a host-gw peer that is not on our LAN', 'not-onlink', {
    value: JSON.stringify({ PublicIP: '192.168.77.7', BackendType: 'host-gw' }),
  }),
  bad('everything', 'key', { name: '0.0.0.0-0' }),
  bad('host bits', 'key', { name: '10.2.3.1-24' }),
  bad('a length of 33', 'key', { name: '10.2.3.0-33' }),
  bad('no length', 'key', { name: '10.2.3.0' }),
  bad('a length with a leading zero', 'key', { name: '10.2.3.0-024' }),
  bad('a nested path', 'key', { name: '10.2.3.0-24/x' }),
  bad('no name', 'key', { name: '' }),
  bad('a name that is none', 'key', { name: 'nonsense' }),
  bad('IPv6 alone with host bits', 'key', { name: 'fc00:3::1-64' }),
  bad('dual stack with IPv4 twice', 'key', { name: '10.2.3.0-24&10.2.4.0-24' }),
  bad('dual stack with half missing', 'key', { name: '10.2.3.0-24&' }),
  bad('dual stack with three', 'key', { name: '10.2.3.0-24&fc00:3::-64&fc00:4::-64' }),
  bad("the hosts' own LAN", 'outside-network', { name: '192.168.19.0-24' }),
  bad('outside the network', 'outside-network', { name: '10.3.0.0-24' }),
  bad('a network around ours', 'outside-network', { name: '10.0.0.0-8' }),
  bad('the whole network', 'own-subnet', { name: '10.2.0.0-16' }),
  bad('half the network', 'subnet-length', { name: '10.2.128.0-17' }),
  bad('half a subnet', 'subnet-length', { name: '10.2.4.128-25' }),
]

/** Leases whose badness lies in what we have ourselves: put at the start they would be why we have something else. */
const BAD_LATER: readonly Bad[] = [
  bad('half of our subnet', 'own-subnet', { name: `${OWN.replace(/0$/, '128')}-25` }),
  bad('our subnet under another key', 'own-subnet', { name: `${OWN}-24&fc00:3::-64` }),
  bad('our public address', 'public-ip-ours', {
    value: vxlanValue('192.168.19.121', mac(98), { HostID: 'f'.repeat(32) }),
  }),
]

const GOOD: readonly RawLease[] = [
  { name: '10.2.201.0-24', value: vxlanValue('192.168.19.201', '0a:00:00:00:00:c9') },
  // Another LAN's host, by way of a router.
  { name: '10.2.202.0-24', value: vxlanValue('172.16.0.202', '0a:00:00:00:00:ca') },
  { name: '10.2.203.0-24&fc00:203::-64', value: vxlanValue('192.168.19.203', '0a:00:00:00:00:cb') },
]
const LATER: readonly RawLease[] = [{ name: '10.2.204.0-24', value: vxlanValue('192.168.19.204', '0a:00:00:00:00:cc') }]

async function world(t: ExecutionContext): Promise<{ etcd: EtcdHost; host: Host }> {
  const { etcd, host } = await createOneHost(t)
  await host.run('ip route add default via 192.168.19.1')
  await host.run(`cat >/run/flannel/subnet.env`, `FLANNEL_SUBNET=${OWN.replace(/0$/, '1')}/24\n`)
  return { etcd, host }
}

/** What is in the kernel for peers: subnets routed, VTEP addresses with MACs, MACs with hosts. */
async function programmed(host: Host): Promise<unknown> {
  const routes = await host.run('ip -4 route show table all | grep -v "table local" | grep -v "proto kernel"')
  const neighbors = await host.run('ip neigh show nud permanent')
  const fdb = await host.run('bridge fdb show dev flannel.1')
  return [routes, neighbors, fdb].map((text) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('default') && !line.startsWith('33:33') && !/^01:00/.test(line))
      .toSorted(),
  )
}

/** What should be in the kernel for these leases, all of them good. */
function wanted(leases: readonly RawLease[]): unknown {
  const lines = leases.map(({ name, value }) => {
    const [subnet = ''] = name.split('-')
    const { PublicIP: ip, BackendData: own } = JSON.parse(value.toString()) as {
      PublicIP: string
      BackendData: { VtepMAC: string }
    }
    return [
      `${subnet}/24 via ${subnet} dev flannel.1 proto 142 onlink`,
      `${subnet} dev flannel.1 lladdr ${own.VtepMAC} PERMANENT`,
      `${own.VtepMAC} dst ${ip} self permanent`,
    ]
  })
  const blackhole = `blackhole ${OWN}/24 proto 142 metric 4294967295`
  return [0, 1, 2].map((i) => [...(i === 0 ? [blackhole] : []), ...lines.map((line) => line[i] ?? '')].toSorted())
}

/** Each bad lease has a line of its own with its reason, and nothing else is complained about. */
function toldOnce(t: ExecutionContext, daemon: Running, leases: readonly Bad[]): void {
  const said = warnings(daemon).filter((line) => line.startsWith('lease refused: '))
  for (const { what, name, reason } of leases) {
    const mine = said.filter((line) => line.startsWith(`lease refused: ${keyOf(name)}: `))
    t.is(mine.length, 1, `${what}: ${mine.join('\n')}`)
    t.true(mine[0]?.startsWith(`lease refused: ${keyOf(name)}: ${reason}: `), `${what}: ${mine[0]}`)
    t.true((mine[0] ?? '').length < 400, what)
  }
  t.is(said.length, leases.length)
}

async function settles(host: Host, leases: readonly RawLease[], deadline?: number): Promise<void> {
  const goal = JSON.stringify(wanted(leases))
  await waitFor(
    'the good ones in the kernel, and nothing else',
    async () => {
      const now = JSON.stringify(await programmed(host))
      if (now !== goal) throw new Error(`${now} instead of ${goal}`)
      return true
    },
    deadline,
  )
}

test('bad leases at the start: the good ones are programmed in the first pass, each bad one is reported once', async (t) => {
  const { etcd, host } = await world(t)
  await putLeases(etcd, [...BAD.slice(0, 25), ...GOOD, ...BAD.slice(25)])
  const daemon = await startFlanneld(host, ARGS)
  t.is((await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'], `${OWN.replace(/0$/, '1')}/24`)
  await daemon.line(/ready: /)
  // Ready means programmed: no waiting here.
  t.deepEqual(await programmed(host), wanted(GOOD))
  toldOnce(t, daemon, BAD)
  t.is((await daemon.stop()).code, 0)
})

test('bad leases that come later, are renewed and go again: none reaches the kernel, each is reported once', async (t) => {
  const { etcd, host } = await world(t)
  await putLeases(etcd, GOOD)
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready: /)
  const all = [...BAD, ...BAD_LATER]
  await putLeases(etcd, [...all, ...LATER])
  await settles(host, [...GOOD, ...LATER])
  toldOnce(t, daemon, all)
  // Renewed: nothing is logged again.
  const lines = daemon.output().split('\n').length
  await putLeases(etcd, all)
  await deleteLeases(etcd, [...all.map(({ name }) => name), ...LATER.map(({ name }) => name)])
  await settles(host, GOOD)
  const news = daemon
    .output()
    .split('\n')
    .slice(lines - 1)
    // The peers here exist in etcd alone: a probe that finds them silent says so in its own time.
    .filter((line) => line !== '' && !/ probe\/[\w-]+\.ts:/.test(line))
  t.is(news.length, 1, news.join('\n'))
  t.regex(news[0] ?? '', /peer 10\.2\.204\.0\/24 left/)
  // One host writes its lease again and again; another's fault is still reported.
  const name = '10.2.206.0-24'
  const other = bad('after the flood', 'json', { value: 'nonsense' })
  await putLeases(etcd, [...Array.from({ length: 60 }, (_, n) => ({ name, value: n % 2 ? '1' : '{}' })), other])
  await daemon.line(new RegExp(`lease refused: ${keyOf(other.name)}: json`))
  const flood = daemon.output().split(`${keyOf(name)}: `).length - 1
  t.true(flood > 0 && flood <= 12, `${flood} lines`)
  t.is((await daemon.stop()).code, 0)
})

test('a bad lease that turns good is programmed, and a good one that turns bad withdrawn', async (t) => {
  const { etcd, host } = await world(t)
  const [one, two] = GOOD as [RawLease, RawLease]
  await putLeases(etcd, [one, { ...two, value: 'nonsense' }])
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await settles(host, [one])
  await putLeases(etcd, [two, { ...one, value: 'nonsense' }])
  await settles(host, [two])
  await putLeases(etcd, [one])
  await settles(host, [one, two])
  t.is(warnings(daemon).filter((line) => line.includes(': json: ')).length, 2)
})
