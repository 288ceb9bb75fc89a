// EnableNFTables: the texts for nft, and what stays with iptables.
import test from 'ava'
import { parseAddress, type Address } from '../../src/ip/address.ts'
import type { Arrival } from '../../src/firewall/nftables/arrival.ts'
import {
  type Guarded,
  type GuardedDevice,
  changePeers,
  replaceGuard,
} from '../../src/firewall/nftables/guard-ruleset.ts'
import { Senders } from '../../src/firewall/nftables/senders.ts'
import { nftablesTable } from '../../src/firewall/nftables/forward-tables.ts'
import { desiredChains } from '../../src/firewall/iptables/rules.ts'
import { prefix } from '../fake/values.ts'

const addresses = (...texts: readonly string[]): Set<Address> =>
  new Set(texts.flatMap((text) => parseAddress(text) ?? []))

const input = {
  family: 4,
  network: prefix('10.2.0.0/16'),
  subnet: prefix('10.2.21.0/24'),
  masquerade: true,
  randomFully: true,
  forward: true,
  nftables: true,
  external: 'enp0s3',
  overlay: [],
} as const

const VXLAN: Arrival = { type: 'vxlan', port: 8472, vni: 1 }
const DEVICE: GuardedDevice = {
  arrival: VXLAN,
  device: 'flannel.1',
  network: prefix('10.2.0.0/16'),
  own: [...addresses('192.168.19.121')],
}
const DEVICE6: GuardedDevice = {
  arrival: VXLAN,
  device: 'flannel-v6.1',
  network: prefix('fd00:2::/48'),
  own: [...addresses('fd00:19::79')],
}
const GUARDED: Guarded = { devices: [DEVICE], allowed: [] }

test('the table is replaced in one transaction', (t) => {
  t.is(
    nftablesTable(input, 'flannel-ipv4'),
    `add table ip flannel-ipv4
delete table ip flannel-ipv4
table ip flannel-ipv4 {
chain forward {
type filter hook forward priority 0; policy accept;
ip daddr 10.2.21.0/24 accept
iifname "enp0s3" ip saddr 10.2.21.0/24 drop
iifname "enp0s3" ip daddr 10.2.0.0/16 ct state != { established, related } ct status & dnat != dnat drop
ip saddr 10.2.0.0/16 accept
ip daddr 10.2.0.0/16 accept
}
chain postrtg {
type nat hook postrouting priority 100; policy accept;
meta mark & 0x4000 == 0x4000 return
ip saddr 10.2.0.0/16 ip daddr 10.2.0.0/16 return
ip saddr != 10.2.0.0/16 ip daddr 10.2.21.0/24 return
ip saddr 10.2.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
ip saddr != 10.2.0.0/16 ip daddr 10.2.0.0/16 fib saddr type local masquerade fully-random
ip saddr != 10.2.0.0/16 ip daddr 10.2.0.0/16 ct status & dnat == dnat masquerade fully-random
}
}
`,
  )
})

test('without -ip-masq forwarding is as Go has it, and nothing has connections tracked', (t) => {
  const table = nftablesTable({ ...input, masquerade: false }, 'flannel-ipv4')
  t.regex(table, /policy accept;\nip saddr 10\.2\.0\.0\/16 accept\nip daddr 10\.2\.0\.0\/16 accept\n}/)
  t.notRegex(table, / ct /)
})

test('flags leave their chain out; IPv6 has a table of its own', (t) => {
  t.notRegex(nftablesTable({ ...input, masquerade: false }, 'flannel-ipv4'), /postrtg/)
  t.notRegex(nftablesTable({ ...input, forward: false }, 'flannel-ipv4'), /chain forward/)
  const six = { ...input, family: 6, network: prefix('fc00::/48'), subnet: prefix('fc00:0:0:1::/64') } as const
  t.regex(nftablesTable(six, 'flannel-ipv6'), /^table ip6 flannel-ipv6 {$/m)
  t.regex(
    nftablesTable(six, 'flannel-ipv6'),
    /^ip6 saddr fc00::\/48 ip6 daddr != \{ ff00::\/8, fe80::\/10 \} masquerade fully-random$/m,
  )
})

test('beside Docker, iptables keeps what an nft accept cannot overrule, and no more', (t) => {
  t.deepEqual([...desiredChains([input], { user: false, nat: false }).keys()], [])
  t.deepEqual(
    [...desiredChains([input], { user: true, nat: true }).keys()],
    [
      'raw FLANNEL-OVERLAY',
      'filter FLANNEL-USER',
      'filter FLANNEL-OVERLAY',
      'filter FLANNEL-FWD',
      'nat FLANNEL-NOMASQ',
    ],
  )
})

test('the guard matches port and VNI, and has a set for each family', (t) => {
  t.is(
    replaceGuard(GUARDED, addresses('192.168.19.122', 'fd00::1')),
    `add table inet flannel-guard-1
add counter inet flannel-guard-1 dropped
add counter inet flannel-guard-1 forwarded
add set inet flannel-guard-1 peers4 { type ipv4_addr; }
add set inet flannel-guard-1 peers6 { type ipv6_addr; }
add set inet flannel-guard-1 strangers4 { type ipv4_addr; size 64; flags dynamic,timeout; timeout 1h; }
add set inet flannel-guard-1 strangers6 { type ipv6_addr; size 64; flags dynamic,timeout; timeout 1h; }
add chain inet flannel-guard-1 input { type filter hook input priority -300; policy accept; }
flush chain inet flannel-guard-1 input
add chain inet flannel-guard-1 forward { type filter hook forward priority -300; policy accept; }
flush chain inet flannel-guard-1 forward
add chain inet flannel-guard-1 postrouting { type filter hook postrouting priority 200; policy accept; }
flush chain inet flannel-guard-1 postrouting
flush set inet flannel-guard-1 peers4
flush set inet flannel-guard-1 peers6
add rule inet flannel-guard-1 input udp dport 8472 @th,96,24 1 ip saddr != @peers4 update @strangers4 { ip saddr counter }
add rule inet flannel-guard-1 input udp dport 8472 @th,96,24 1 ip saddr != @peers4 counter name dropped drop
add rule inet flannel-guard-1 forward udp dport 8472 @th,96,24 1 ip saddr 10.2.0.0/16 ip daddr != 10.2.0.0/16 counter name forwarded drop
add rule inet flannel-guard-1 forward udp dport 8472 @th,96,24 1 ip saddr @peers4 fib saddr . iif oif 0 counter name forwarded drop
add rule inet flannel-guard-1 postrouting udp dport 8472 @th,96,24 1 iif != 0 iifname != "flannel.1" ip saddr 192.168.19.121 counter name forwarded drop
add element inet flannel-guard-1 peers4 { 192.168.19.122 }
add element inet flannel-guard-1 peers6 { fd00::1 }
`,
  )
})

/** The rules of a guard without its peers, of one chain, without counters. */
function rulesIn(name: string, guarded: Guarded): readonly string[] {
  const start = new RegExp(`^add rule inet flannel-guard-\\S+ ${name} `)
  const rules = replaceGuard(guarded, [])
    .split('\n')
    .filter((line) => start.test(line))
  return rules.map((line) => line.replace(start, '').replace(/ counter name \S+/, ''))
}

test('one guard serves both families: each has its device, its network and its addresses', (t) => {
  const guarded: Guarded = { devices: [DEVICE, DEVICE6], allowed: [] }
  const match = 'udp dport 8472 @th,96,24 1'
  t.deepEqual(rulesIn('input', guarded), [
    `${match} ip saddr != @peers4 update @strangers4 { ip saddr counter }`,
    `${match} ip6 saddr != @peers6 update @strangers6 { ip6 saddr counter }`,
    `${match} ip saddr != @peers4 drop`,
    `${match} ip6 saddr != @peers6 drop`,
    // A first fragment may end ahead of the VNI.
    'ip6 saddr != @peers6 udp dport 8472 @th,96,24 != 1 return',
    'ip6 saddr != @peers6 udp dport 8472 drop',
  ])
  t.deepEqual(rulesIn('forward', guarded), [
    `${match} ip saddr 10.2.0.0/16 ip daddr != 10.2.0.0/16 drop`,
    `${match} ip6 saddr fd00:2::/48 ip6 daddr != fd00:2::/48 drop`,
    `${match} ip saddr @peers4 fib saddr . iif oif 0 drop`,
    `${match} ip6 saddr @peers6 fib saddr . iif oif 0 drop`,
  ])
  t.deepEqual(rulesIn('postrouting', guarded), [
    `${match} iif != 0 iifname != "flannel.1" ip saddr 192.168.19.121 drop`,
    `${match} iif != 0 iifname != "flannel-v6.1" ip6 saddr fd00:19::79 drop`,
  ])
})

test('a UDP port and an IP protocol are guarded like a VNI, by a table of their own name', (t) => {
  for (const [arrival, table, match] of [
    [{ type: 'udp', port: 8285 }, 'flannel-guard-udp-8285', 'udp dport 8285'],
    [{ type: 'protocol', protocol: 4 }, 'flannel-guard-protocol-4', 'meta l4proto 4'],
  ] as const) {
    const guarded: Guarded = { devices: [{ ...DEVICE, arrival, device: 'flannel0' }], allowed: [], leaving: [VXLAN] }
    t.regex(replaceGuard(guarded, []), new RegExp(`^add table inet ${table}$`, 'm'))
    t.deepEqual(rulesIn('input', guarded).slice(0, 2), [
      `${match} ip saddr != @peers4 update @strangers4 { ip saddr counter }`,
      `${match} ip saddr != @peers4 drop`,
    ])
    t.true(rulesIn('input', guarded).includes('udp dport 8472 @th,96,24 1 ip6 saddr != @peers6 drop'), 'what leaves')
    t.deepEqual(rulesIn('forward', guarded), [
      `${match} ip saddr 10.2.0.0/16 ip daddr != 10.2.0.0/16 drop`,
      `${match} ip saddr @peers4 fib saddr . iif oif 0 drop`,
    ])
    t.deepEqual(rulesIn('postrouting', guarded), [
      `${match} iif != 0 iifname != "flannel0" ip saddr 192.168.19.121 drop`,
    ])
  }
})

test('further senders are let in by network, ahead of what drops and of what keeps who was dropped', (t) => {
  const guarded: Guarded = { ...GUARDED, devices: [DEVICE, DEVICE6] }
  const lines = replaceGuard({ ...guarded, allowed: [prefix('203.0.113.0/28'), prefix('fd00::/64')] }, []).split('\n')
  const at = (what: string): number => lines.findIndex((line) => line.includes(what))
  t.true(at('input udp dport 8472 @th,96,24 1 ip saddr 203.0.113.0/28 accept') > 0)
  t.true(at('input udp dport 8472 @th,96,24 1 ip6 saddr fd00::/64 accept') > 0)
  t.true(at('ip6 saddr fd00::/64 accept') < at('update @strangers4'))
})

test('a change of peers changes set elements alone', (t) => {
  t.deepEqual(changePeers([...addresses('192.168.19.122', 'fd00::2')], [...addresses('192.168.19.124')]), [
    { verb: 'add', set: 'peers4', addresses: ['192.168.19.122'] },
    { verb: 'add', set: 'peers6', addresses: ['fd00::2'] },
    { verb: 'delete', set: 'peers4', addresses: ['192.168.19.124'] },
  ])
})

test('senders report what came and went, once, however often a peer has an address', (t) => {
  const [one, two, three] = [...addresses('192.168.19.122', '192.168.19.123', '192.168.19.124')]
  if (one === undefined || two === undefined || three === undefined) return t.fail()
  const senders = new Senders()
  senders.add(one)
  senders.add(one)
  senders.add(two)
  t.deepEqual(senders.take(), { added: [one, two], removed: [] })
  senders.remove(one)
  t.deepEqual(senders.take(), { added: [], removed: [] })
  senders.remove(one)
  senders.remove(two)
  senders.add(two)
  t.deepEqual(senders.take(), { added: [], removed: [one] })
  senders.become([two, three])
  t.deepEqual(senders.take(), { added: [three], removed: [] })
  t.deepEqual([...senders], [two, three])
  senders.remove(one)
  t.deepEqual(senders.take(), { added: [], removed: [] })
})
