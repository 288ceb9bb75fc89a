// Objects as iproute2 shows them: written by us and printed by ip(8) and bridge(8), and the other way round.
import { showObject } from '../../src/kernel/show.ts'
import { FLANNEL_PROTOCOL, type KernelObject, type Kind, sameObject } from '../../src/kernel/state.ts'
import { inNamespace } from './namespace.ts'
import { apply, device, ip, link, mac, present, route, via } from './objects.ts'

const test = inNamespace()

/** Each object with the command that prints it and the line that is to come. */
const written: readonly [object: KernelObject, command: string, line: string][] = [
  [
    { kind: 'address', device, address: ip('10.2.1.0'), length: 32 },
    `ip -4 addr show dev ${device}`,
    `    inet 10.2.1.0/32 scope global ${device}`,
  ],
  [
    { kind: 'address', device, address: ip('fc00::1:0'), length: 128 },
    `ip -6 addr show dev ${device}`,
    '    inet6 fc00::1:0/128 scope global nodad ',
  ],
  [
    { kind: 'fdb', device, mac: mac('0a:00:00:00:00:02'), destination: ip('192.168.19.122') },
    `bridge fdb show dev ${device}`,
    '0a:00:00:00:00:02 dst 192.168.19.122 self permanent',
  ],
  [
    { kind: 'neighbor', device, address: ip('10.2.2.0'), mac: mac('0a:00:00:00:00:02') },
    `ip -4 neigh show dev ${device}`,
    '10.2.2.0 lladdr 0a:00:00:00:00:02 PERMANENT ',
  ],
  [
    { kind: 'neighbor', device, address: ip('fc00::2:0'), mac: mac('0a:00:00:00:00:02') },
    `ip -6 neigh show dev ${device}`,
    'fc00::2:0 lladdr 0a:00:00:00:00:02 PERMANENT ',
  ],
  [
    { kind: 'nexthop', id: 167903744, gateway: ip('10.2.2.0'), device, protocol: FLANNEL_PROTOCOL },
    'ip nexthop',
    `id 167903744 via 10.2.2.0 dev ${device} scope link proto 142 onlink `,
  ],
  [
    { kind: 'nexthop', id: 7, gateway: ip('fc00::2:0'), device, protocol: FLANNEL_PROTOCOL },
    'ip nexthop',
    `id 7 via fc00::2:0 dev ${device} scope link proto 142 onlink `,
  ],
  [route('10.2.2.0/24', via('10.2.2.0')), 'ip route', `10.2.2.0/24 via 10.2.2.0 dev ${device} proto 142 onlink `],
  [
    route('10.2.3.0/24', { type: 'nexthop', id: 167903744 }),
    'ip route',
    `10.2.3.0/24 nhid 167903744 via 10.2.2.0 dev ${device} proto 142 onlink `,
  ],
  [
    route('10.3.0.0/16', { type: 'gateway', gateway: ip('192.168.19.122'), device: 'eth0', onlink: false }),
    'ip route',
    '10.3.0.0/16 via 192.168.19.122 dev eth0 proto 142 ',
  ],
  [route('10.4.0.0/16', { type: 'device', device }), 'ip route', `10.4.0.0/16 dev ${device} proto 142 scope link `],
  [route('10.2.1.0/24', { type: 'blackhole' }, 4096), 'ip route', 'blackhole 10.2.1.0/24 proto 142 metric 4096 '],
  [
    route('fc00:0:0:2::/64', via('fc00::2:0'), 1024),
    'ip -6 route',
    `fc00:0:0:2::/64 via fc00::2:0 dev ${device} proto 142 metric 1024 onlink pref medium`,
  ],
  [
    route('fc00:0:0:3::/64', { type: 'nexthop', id: 7 }, 1024),
    'ip -6 route',
    `fc00:0:0:3::/64 nhid 7 via fc00::2:0 dev ${device} proto 142 metric 1024 onlink pref medium`,
  ],
  [
    route('fc00:0:0:1::/64', { type: 'blackhole' }, 4096),
    'ip -6 route',
    'blackhole fc00:0:0:1::/64 dev lo proto 142 metric 4096 pref medium',
  ],
]

test('a vxlan device is what ip shows, and has no addresses of its own accord', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const text = (await space.run(`ip -d link show dev ${device}; ip addr show dev ${device}`)).replaceAll(/ +/g, ' ')
  t.regex(text, /^\d+: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 /)
  t.regex(text, /link\/ether c6:d2:32:6f:8f:44 .* addrgenmode none /s)
  t.regex(
    text,
    /vxlan id 1 local 192.168.19.121 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum/,
  )
  t.notRegex(text, /inet/)
  t.is((await space.run(`cat /proc/sys/net/ipv6/conf/${device}/accept_ra`)).trim(), '0')
})

test('what we write, ip prints; it reads back equal; deleted it is gone, and deleting it again is success', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link, ...written.map(([object]) => object)]), [])
  t.deepEqual(await present(kernel, link), link)
  for (const [object, command, line] of written) {
    t.true((await space.run(command)).split('\n').includes(line), `${line}\nnot in\n${await space.run(command)}`)
    const found = await present(kernel, object)
    t.deepEqual(found, object)
    t.true(found !== undefined && sameObject(object, found))
  }
  const objects = written.map(([object]) => object).reverse()
  t.deepEqual(await apply(kernel, 'delete', objects), [])
  for (const object of objects) t.is(await present(kernel, object), undefined, showObject(object))
  t.deepEqual(await apply(kernel, 'delete', objects), [])
  t.deepEqual(await apply(kernel, 'delete', [link, link, ...objects]), [])
  t.is(await present(kernel, link), undefined)
})

test('what ip writes, we read', async (t) => {
  const { kernel, space } = t.context
  await space.run(`ip link add ${device} address ${link.mac} mtu 1450 type vxlan id 1 local 192.168.19.121 dev eth0 dstport 8472 nolearning
    ip link set ${device} up
    ip addr add 10.2.1.0/32 dev ${device}
    ip -6 addr add fc00::1:0/128 dev ${device} nodad
    bridge fdb add 0a:00:00:00:00:02 dst 192.168.19.122 dev ${device} self permanent
    ip neigh add 10.2.2.0 lladdr 0a:00:00:00:00:02 dev ${device} nud permanent
    ip neigh add fc00::2:0 lladdr 0a:00:00:00:00:02 dev ${device} nud permanent
    ip nexthop add id 167903744 via 10.2.2.0 dev ${device} proto 142 onlink
    ip nexthop add id 7 via fc00::2:0 dev ${device} proto 142 onlink
    ip route add 10.2.2.0/24 via 10.2.2.0 dev ${device} proto 142 onlink
    ip route add 10.2.3.0/24 nhid 167903744 proto 142
    ip route add 10.3.0.0/16 via 192.168.19.122 proto 142
    ip route add 10.4.0.0/16 dev ${device} proto 142
    ip route add blackhole 10.2.1.0/24 proto 142 metric 4096
    ip route add fc00:0:0:2::/64 via fc00::2:0 dev ${device} proto 142 onlink
    ip route add fc00:0:0:3::/64 nhid 7 proto 142
    ip route add blackhole fc00:0:0:1::/64 proto 142 metric 4096`)
  for (const object of [link, ...written.map(([object]) => object)])
    t.deepEqual(await present(kernel, object), object, showObject(object))
})

test('what our types cannot say is shown as something no plan has', async (t) => {
  const { kernel, space } = t.context
  await space.run(`ip link add ${device} type bridge
    ip link add foreign type vxlan id 9 dev eth0 dstport 4789
    ip route add 10.5.0.0/16 nexthop via 192.168.19.1 nexthop via 192.168.19.2
    ip route add unreachable 10.6.0.0/16
    ip route add 10.7.0.0/16 via 192.168.19.1 table 100
    ip route add 10.8.0.0/16 via 192.168.19.1 tos 4
    ip nexthop add id 5 via 192.168.19.1 dev eth0
    ip nexthop add id 6 blackhole`)
  const links = await kernel.observe('link', [device])
  t.deepEqual([...links.keys()].sort(), ['link flannel.1', 'link foreign'])
  t.like(links.get('link flannel.1'), { vni: -1 })
  t.like(links.get('link foreign'), { vni: 9, local: '0.0.0.0', learning: true })
  const routes = await kernel.observe('route', [])
  t.like(routes.get('route 10.5.0.0/16 0'), { target: { type: 'other', text: 'multipath' } })
  t.like(routes.get('route 10.6.0.0/16 0'), { target: { type: 'other', text: 'unreachable' } })
  t.false(routes.has('route 10.7.0.0/16 0') || routes.has('route 10.8.0.0/16 0'))
  const nexthops = await kernel.observe('nexthop', [])
  t.deepEqual([...nexthops.values()], [{ kind: 'nexthop', id: 5, gateway: ip('0.0.0.0'), device: 'eth0', protocol: 0 }])
})

const kinds: readonly Kind[] = ['link', 'address', 'fdb', 'neighbor', 'nexthop', 'route']
test('our words are words ip and bridge accept', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  const commands: Readonly<Record<Kind, string>> = {
    link: '',
    address: 'ip addr add',
    'wireguard-peer': '',
    fdb: 'bridge fdb add',
    neighbor: 'ip neigh add',
    nexthop: 'ip nexthop add',
    policy: 'ip xfrm policy add',
    route: 'ip route add',
  }
  for (const kind of kinds.slice(1)) {
    for (const [object] of written.filter(([object]) => object.kind === kind)) {
      const words = showObject(object)
        .replace('PERMANENT', 'nud permanent')
        .replace(/^(\S+) (.* nud)/, '$1 $2')
      await space.run(`${commands[kind]} ${words}`)
      t.deepEqual(await present(kernel, object), object, words)
    }
  }
})
