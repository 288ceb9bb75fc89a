import test from 'ava'
import type { ExternalInterface } from '../../src/backend.ts'
import { OperatorError } from '../../src/errors.ts'
import type { HostNetwork, RouteAnswer } from '../../src/kernel/host-network.ts'
import type { InterfaceWish } from '../../src/host/interface-candidate.ts'
import { chooseExternalInterface } from '../../src/host/external-interface.ts'
import type { Family } from '../../src/ip/address.ts'
import { parseMac } from '../../src/ip/mac.ts'
import { parsePrefix } from '../../src/ip/prefix.ts'
import { HOST, ip, known, link, route } from './external-interface-host.ts'

const NOTHING: InterfaceWish = {
  iface: [],
  ifaceRegex: [],
  ifaceCanReach: undefined,
  publicIp: undefined,
  publicIpv6: undefined,
}

function choose(wish: Partial<InterfaceWish>, host: HostNetwork = HOST, family: Family = 4): ExternalInterface {
  const chosen = chooseExternalInterface(host, { ...NOTHING, ...wish }, family)
  if (chosen instanceof OperatorError) throw chosen
  return chosen
}

function refusal(wish: Partial<InterfaceWish>, host: HostNetwork = HOST, family: Family = 4): string {
  const chosen = chooseExternalInterface(host, { ...NOTHING, ...wish }, family)
  if (chosen instanceof OperatorError) return chosen.message
  throw new TypeError(`chose ${chosen.name}`)
}

const pick = ({ name, address }: ExternalInterface): string => `${name} ${address}`

const THIS_HOST =
  'this host has lo, enp0s3 (192.168.19.121 192.168.19.200 169.254.3.4), enp0s8 (10.9.0.1 10.9.7.1), ' +
  'br0 (172.16.0.1 down), empty0, tiny0 (172.17.0.1), flannel.1 (10.2.5.0)'

test("with nothing asked for, the default route's interface of the lowest metric, its first global address", (t) => {
  t.deepEqual(choose({}), {
    name: 'enp0s3',
    index: 2,
    mtu: 1500,
    mac: parseMac('02:00:00:00:00:02'),
    family: 4,
    address: ip('192.168.19.121'),
    publicAddress: ip('192.168.19.121'),
    onlink: [
      known(parsePrefix('169.254.0.0/16')),
      known(parsePrefix('192.168.19.0/24')),
      known(parsePrefix('2001:db8:19::/64')),
    ],
  })
})

test('of default routes with one metric the first the kernel shows; a metric of 0 is the lowest', (t) => {
  const routes = [route('0.0.0.0/0', 3, '10.9.0.254', 100), ...HOST.routes]
  t.is(choose({}, { ...HOST, routes }).name, 'enp0s8')
  t.is(choose({}, { ...HOST, routes: [...HOST.routes, route('0.0.0.0/0', 3)] }).name, 'enp0s8')
})

test('a default route whose interface cannot be used is passed over', (t) => {
  const routes = [route('0.0.0.0/0', 5, '10.0.0.1'), route('0.0.0.0/0', 99, '10.0.0.1'), ...HOST.routes]
  t.is(choose({}, { ...HOST, routes }).name, 'enp0s3')
})

test('-iface by name', (t) => {
  t.is(pick(choose({ iface: ['enp0s8'] })), 'enp0s8 10.9.0.1')
})

test('-iface by address takes that address, even a secondary one', (t) => {
  t.is(pick(choose({ iface: ['192.168.19.200'] })), 'enp0s3 192.168.19.200')
  t.is(choose({ iface: ['192.168.19.200'] }).publicAddress, ip('192.168.19.200'))
})

test('-iface by an address of the other family names the interface', (t) => {
  const chosen = choose({ iface: ['2001:db8:19::121'] })
  t.is(pick(chosen), 'enp0s3 192.168.19.121')
})

test('of several IPv6 addresses one that lasts is taken, a fleeting one where there is no other', (t) => {
  const [lasting = { index: 2 } as never] = HOST.addresses.filter(({ address }) => address === ip('2001:db8:19::121'))
  const fleeting = { ...lasting, address: ip('2001:db8:19::fade'), fleeting: true } as const
  const others = HOST.addresses.filter((one) => one !== lasting)
  const with6 = (...addresses: (typeof lasting)[]): typeof HOST => ({ ...HOST, addresses: [...addresses, ...others] })
  t.is(pick(choose({ iface: ['enp0s3'] }, with6(fleeting, lasting), 6)), 'enp0s3 2001:db8:19::121')
  t.is(pick(choose({ iface: ['enp0s3'] }, with6(fleeting), 6)), 'enp0s3 2001:db8:19::fade')
  t.is(pick(choose({ iface: ['2001:db8:19::fade'] }, with6(fleeting, lasting), 6)), 'enp0s3 2001:db8:19::fade')
})

test('several -iface: the first that can be used, in the order given', (t) => {
  t.is(choose({ iface: ['eth9', 'br0', '10.99.0.1', 'enp0s8', 'enp0s3'] }).name, 'enp0s8')
})

test('every -iface comes before any -iface-regex, and that before -iface-can-reach', (t) => {
  t.is(choose({ iface: ['enp0s8'], ifaceRegex: ['enp0s3'] }).name, 'enp0s8')
  t.is(choose({ iface: ['eth9'], ifaceRegex: ['enp0s3'], ifaceCanReach: ip('10.9.0.7') }).name, 'enp0s3')
  t.is(
    choose(
      { iface: ['eth9'], ifaceRegex: ['^wlan'], ifaceCanReach: ip('10.9.0.7') },
      answering('10.9.0.7', { index: 3, source: undefined }),
    ).name,
    'enp0s8',
  )
})

test('what was asked for and is not there is an error, never the default route', (t) => {
  t.is(refusal({ iface: ['eth9'] }), `-iface: no interface "eth9": ${THIS_HOST}`)
  t.is(refusal({ iface: ['10.1.1.1'] }), `-iface: no interface has the address 10.1.1.1: ${THIS_HOST}`)
  t.is(refusal({ ifaceRegex: ['^wlan'] }), `-iface-regex: no interface matches the expression "^wlan": ${THIS_HOST}`)
  const both = refusal({ iface: ['eth9', 'br0'], ifaceCanReach: ip('2001:db8::1') }, { ...HOST, routes: [] })
  t.is(
    both,
    `-iface: no interface "eth9"; interface "br0" is down; -iface-can-reach: no route to 2001:db8::1: ${THIS_HOST}`,
  )
})

test('-iface-regex is matched against addresses first, over all interfaces, then names, as in Go', (t) => {
  t.is(pick(choose({ ifaceRegex: ['^10\\.9\\.7'] })), 'enp0s8 10.9.7.1')
  t.is(pick(choose({ ifaceRegex: ['^enp0s8$|^192'] })), 'enp0s3 192.168.19.121')
  t.is(pick(choose({ ifaceRegex: ['(?i)^ENP0S8$'] })), 'enp0s8 10.9.0.1')
  t.is(choose({ ifaceRegex: ['^wlan', 's8'] }).name, 'enp0s8')
})

test('-iface-regex passes over what cannot be used, loopback and our own device', (t) => {
  t.is(choose({ ifaceRegex: ['.*'] }).name, 'enp0s3')
  t.is(choose({ ifaceRegex: ['^(br0|empty0|enp0s8)$'] }).name, 'enp0s8')
  t.regex(
    refusal({ ifaceRegex: ['^10\\.2\\.', '^127'] }),
    /-iface-regex: no interface matches the expression "\^10\\\.2\\\."; -iface-regex: no interface/,
  )
})

/** The host with what its kernel answers when asked for the way to an address. */
function answering(target: string, answer: RouteAnswer | string, host: HostNetwork = HOST): HostNetwork {
  return { ...host, asked: new Map([[ip(target), answer]]) }
}

test('-iface-can-reach takes the device and the source that the kernel answers, whatever the main table says', (t) => {
  const reach = (answer: RouteAnswer | string): string =>
    pick(choose({ ifaceCanReach: ip('10.50.1.1') }, answering('10.50.1.1', answer)))
  t.is(reach({ index: 2, source: ip('192.168.19.200') }), 'enp0s3 192.168.19.200')
  t.is(reach({ index: 3, source: ip('10.9.7.1') }), 'enp0s8 10.9.7.1')
  t.is(reach({ index: 3, source: undefined }), 'enp0s8 10.9.0.1')
})

test("-iface-can-reach without a route is refused with the kernel's own error name, and never guessed", (t) => {
  const ifaceCanReach = ip('8.8.8.8')
  for (const word of ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'stays on this host']) {
    const message = refusal({ ifaceCanReach }, answering('8.8.8.8', word))
    t.is(message, `-iface-can-reach: no route to 8.8.8.8 (${word}): ${THIS_HOST}`)
  }
  t.regex(
    refusal({ ifaceCanReach }, answering('8.8.8.8', { index: 99, source: undefined })),
    /no route to 8\.8\.8\.8: /,
  )
})

const hops = (...parts: readonly (readonly [index: number, live: boolean])[]): HostNetwork => ({
  ...HOST,
  routes: parts.map(([index, live]) => route('0.0.0.0/0', index, undefined, 0, live)),
})

test('a default route of several hops: the first whose device lives, whichever the kernel picks for one address', (t) => {
  t.is(choose({}, hops([3, true], [2, true])).name, 'enp0s8')
  t.is(choose({}, hops([3, false], [2, true])).name, 'enp0s3')
  const asked = hops([3, true], [2, true])
  t.is(choose({}, answering('192.0.2.1', { index: 2, source: undefined }, asked)).name, 'enp0s8')
  t.is(choose({}, hops([3, false], [2, false])).name, 'enp0s8', 'better than none')
})

test('of several default routes the one that the kernel takes now; one that is not in the main table when there is no other', (t) => {
  const answer = { index: 3, source: undefined }
  t.is(choose({}, answering('192.0.2.1', answer)).name, 'enp0s8', 'the first is dead, the kernel goes on to the next')
  const elsewhere = { ...HOST, routes: HOST.routes.filter(({ destination }) => !destination.endsWith('/0')) }
  t.is(choose({}, answering('192.0.2.1', answer, elsewhere)).name, 'enp0s8', 'by a policy rule')
  // A VPN that covers everything by two halves, or by a rule, is not where the hosts reach each other.
  t.is(choose({}, answering('192.0.2.1', { index: 6, source: undefined })).name, 'enp0s3')
  t.regex(refusal({}, answering('192.0.2.1', 'ENETUNREACH', elsewhere)), /^no default route for IPv4/)
})

test('-iface-can-reach of an own address is its interface, not loopback', (t) => {
  t.is(pick(choose({ ifaceCanReach: ip('10.9.7.1') })), 'enp0s8 10.9.7.1')
})

test('-public-ip is published, the interface keeps its own address as source', (t) => {
  const chosen = choose({ iface: ['enp0s3'], publicIp: ip('203.0.113.7'), publicIpv6: ip('2001:db8:ff::7') })
  t.deepEqual([chosen.address, chosen.publicAddress], [ip('192.168.19.121'), ip('203.0.113.7')])
})

test('-public-ip alone picks the interface that has it, else the default route', (t) => {
  t.is(pick(choose({ publicIp: ip('10.9.7.1') })), 'enp0s8 10.9.7.1')
  const behindNat = choose({ publicIp: ip('203.0.113.7') })
  t.deepEqual([behindNat.name, behindNat.publicAddress], ['enp0s3', ip('203.0.113.7')])
})

test('link-local IPv4 will do when there is nothing else, as in Go', (t) => {
  const addresses = HOST.addresses.filter((own) => own.index !== 2 || own.scope === 'link')
  t.is(pick(choose({}, { ...HOST, addresses })), 'enp0s3 169.254.3.4')
})

test('an interface that is down, without address, loopback only or with too small an MTU is refused', (t) => {
  t.is(refusal({ iface: ['br0'] }), `interface "br0" is down: ${THIS_HOST}`)
  t.is(refusal({ iface: ['empty0'] }), `interface "empty0" has no IPv4 address other hosts could reach: ${THIS_HOST}`)
  t.is(refusal({ iface: ['lo'] }), `interface "lo" has no IPv4 address other hosts could reach: ${THIS_HOST}`)
  t.is(refusal({ iface: ['127.0.0.1'] }), `interface "lo": 127.0.0.1 cannot be reached from other hosts: ${THIS_HOST}`)
  t.is(refusal({ iface: ['tiny0'] }), `interface "tiny0": mtu 118 is too small: more than 118 is needed: ${THIS_HOST}`)
  const grown = { ...HOST, links: HOST.links.map((each) => (each.name === 'tiny0' ? { ...each, mtu: 119 } : each)) }
  t.is(choose({ iface: ['tiny0'] }, grown).mtu, 119)
})

test('no default route: the error says how to do without', (t) => {
  const routes = HOST.routes.filter(({ destination }) => !destination.endsWith('/0'))
  const message = refusal({}, { ...HOST, routes })
  t.is(message, `no default route for IPv4: name the interface between the hosts with -iface: ${THIS_HOST}`)
  t.regex(refusal({}, { links: [], addresses: [], routes: [], asked: new Map() }), /this host has no interfaces$/)
})

test('an error lists a dozen interfaces at most', (t) => {
  const links = Array.from({ length: 300 }, (_, index) => link(index + 1, `veth${index}`))
  const message = refusal({ iface: ['eth0'] }, { links, addresses: [], routes: [], asked: new Map() })
  t.true(message.endsWith('veth11 and 288 more'), message)
})

test('for IPv6 the address is an IPv6 one', (t) => {
  const chosen = choose({}, HOST, 6)
  t.deepEqual([pick(chosen), chosen.publicAddress], ['enp0s3 2001:db8:19::121', ip('2001:db8:19::121')])
  t.regex(refusal({ iface: ['enp0s8'] }, HOST, 6), /has no IPv6 address other hosts could reach/)
})

test('onlink holds what the interface reaches without a gateway: no default, no other interface, nothing link-local', (t) => {
  const routes = [
    ...HOST.routes,
    route('0.0.0.0/0', 3),
    route('10.9.0.0/16', 3, undefined, 7),
    route('10.77.0.0/24', 3),
  ]
  t.deepEqual(choose({ iface: ['enp0s8'] }, { ...HOST, routes }).onlink, [
    known(parsePrefix('10.77.0.0/24')),
    known(parsePrefix('10.9.0.0/16')),
  ])
})

test('onlink is the same while all routes are gone: the addresses say what is on the LAN', (t) => {
  const [whole, flushed] = [choose({ iface: ['enp0s3'] }), choose({ iface: ['enp0s3'] }, { ...HOST, routes: [] })]
  t.deepEqual(flushed, whole)
})

test('onlink is what routes say where the kernel makes none for an address (noprefixroute)', (t) => {
  const addresses = HOST.addresses.map((own) => ({ ...own, network: undefined }))
  const { onlink } = choose({ iface: ['enp0s3'] }, { ...HOST, addresses, routes: [route('192.168.19.0/24', 2)] })
  t.deepEqual(onlink, [known(parsePrefix('192.168.19.0/24'))])
})
