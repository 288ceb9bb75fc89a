// Which rules we want, in iptables-save's words. The first two are Go's flanneld's (pkg/trafficmngr/iptables).
import test from 'ava'
import {
  type DesiredChains,
  type DockerChains,
  type FirewallInput,
  desiredChains,
} from '../../src/firewall/iptables/rules.ts'
import { prefix } from '../fake/values.ts'

const NO_DOCKER: DockerChains = { user: false, nat: false }
const DOCKER: DockerChains = { user: true, nat: true }
const input: FirewallInput = {
  family: 4,
  network: prefix('10.2.0.0/16'),
  subnet: prefix('10.2.21.0/24'),
  masquerade: false,
  randomFully: true,
  forward: true,
  external: 'enp0s3',
  overlay: [{ name: 'flannel.1', shared: false, from: [prefix('10.2.0.0/16')] }],
}
const BOTH = [
  { name: 'flannel.1', shared: false, from: [prefix('10.2.0.0/16')] },
  { name: 'enp0s3', shared: true, from: [prefix('10.2.0.0/16')] },
]

function golden(chains: DesiredChains): string {
  return [...chains].flatMap(([chain, rules]) => [`:${chain}`, ...rules]).join('\n')
}

test('FLANNEL-FWD accepts what comes from and goes to the network, as Go; ahead passes only what a tunnel carries', (t) => {
  t.is(
    golden(desiredChains([input], NO_DOCKER)),
    `:filter FLANNEL-OVERLAY
-s 10.2.0.0/16 -d 10.2.21.0/24 -i flannel.1 -m comment --comment "flanneld forward" -j ACCEPT
-s 10.2.21.0/24 -d 10.2.0.0/16 ! -i enp0s3 -o flannel.1 -m comment --comment "flanneld forward" -j ACCEPT
:filter FLANNEL-FWD
-s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
  )
})

test('-ip-masq: FLANNEL-POSTRTG masquerades what Go’s does, if it starts here or is led there by a rule of this host', (t) => {
  t.is(
    golden(desiredChains([{ ...input, masquerade: true, forward: false }], NO_DOCKER)),
    `:nat FLANNEL-POSTRTG
-m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.0.0/16 -d 10.2.0.0/16 -m comment --comment "flanneld masq" -j RETURN
! -s 10.2.0.0/16 -d 10.2.21.0/24 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
! -s 10.2.0.0/16 -d 10.2.0.0/16 -m addrtype --src-type LOCAL -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
! -s 10.2.0.0/16 -d 10.2.0.0/16 -m conntrack --ctstate DNAT -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
  )
})

test('-ip-masq: what comes in from outside is forwarded to our own subnet alone, where no peer sends unwrapped', (t) => {
  const forward = (overlay: FirewallInput['overlay']) =>
    desiredChains([{ ...input, overlay, masquerade: true }], NO_DOCKER)
      .get('filter FLANNEL-FWD')
      ?.map((rule) => rule.replace(' -m comment --comment "flanneld forward"', ''))
  const transit = '-d 10.2.0.0/16 -i enp0s3 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'
  const [own, forged] = ['-d 10.2.21.0/24 -j ACCEPT', '-s 10.2.21.0/24 -i enp0s3 -j DROP']
  const [from, to] = ['-s 10.2.0.0/16 -j ACCEPT', '-d 10.2.0.0/16 -j ACCEPT']
  t.deepEqual(forward(input.overlay), [own, forged, transit, from, to])
  t.deepEqual(forward(BOTH), [own, forged, from, transit, to])
})

test('-ip-masq-fully-random-disable leaves --random-fully out; IPv6 has its own multicast, and link-local addresses', (t) => {
  const six = { ...input, family: 6, network: prefix('fc00::/48'), subnet: prefix('fc00:0:0:1::/64') } as const
  const chains = desiredChains([{ ...six, masquerade: true, randomFully: false, forward: false }], NO_DOCKER)
  t.deepEqual(chains.get('nat FLANNEL-POSTRTG')?.slice(3), [
    '-s fc00::/48 -d fe80::/10 -m comment --comment "flanneld masq" -j RETURN',
    '-s fc00::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE',
    '! -s fc00::/48 -d fc00::/48 -m addrtype --src-type LOCAL -m comment --comment "flanneld masq" -j MASQUERADE',
    '! -s fc00::/48 -d fc00::/48 -m conntrack --ctstate DNAT -m comment --comment "flanneld masq" -j MASQUERADE',
  ])
})

test('beside Docker, overlay traffic alone is let past its raw rules, and DOCKER-USER is asked first', (t) => {
  const chains = desiredChains([input], DOCKER)
  t.deepEqual(
    [...chains.keys()],
    [
      'raw FLANNEL-OVERLAY',
      'filter FLANNEL-USER',
      'filter FLANNEL-OVERLAY',
      'filter FLANNEL-FWD',
      'nat FLANNEL-NOMASQ',
    ],
  )
  t.deepEqual(chains.get('raw FLANNEL-OVERLAY'), [
    '-s 10.2.0.0/16 -d 10.2.21.0/24 -i flannel.1 -m comment --comment "flanneld forward" -j ACCEPT',
  ])
  t.deepEqual(chains.get('filter FLANNEL-USER'), [
    '-s 10.2.0.0/16 -d 10.2.21.0/24 -i flannel.1 -m comment --comment "flanneld forward" -j DOCKER-USER',
    '-s 10.2.21.0/24 -d 10.2.0.0/16 ! -i enp0s3 -o flannel.1 -m comment --comment "flanneld forward" -j DOCKER-USER',
  ])
  t.deepEqual(chains.get('nat FLANNEL-NOMASQ'), [
    '-m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
    '-s 10.2.21.0/24 -d 10.2.21.0/24 -m comment --comment "flanneld masq" -j RETURN',
    '-s 10.2.21.0/24 -d 10.2.0.0/16 -m comment --comment "flanneld masq" -j ACCEPT',
  ])
})

test('no accept that comes ahead of others is for less than a device and our own subnet', (t) => {
  for (const docker of [DOCKER, NO_DOCKER])
    for (const [chain, rules] of desiredChains([{ ...input, overlay: BOTH }], docker))
      if (chain.endsWith('FLANNEL-OVERLAY') || chain.endsWith('FLANNEL-USER'))
        for (const rule of rules.filter((one) => !one.endsWith('-j RETURN')))
          t.regex(rule, /^(-s \S+ -d 10\.2\.21\.0\/24 -i|-s 10\.2\.21\.0\/24 -d \S+ ! -i enp0s3 -o) \S+ -m/, chain)
})

test('on an interface shared with others, our own subnet is no source', (t) => {
  const chains = desiredChains(
    [{ ...input, overlay: [{ name: 'enp0s3', shared: true, from: [prefix('10.2.0.0/16')] }] }],
    DOCKER,
  )
  t.deepEqual(chains.get('raw FLANNEL-OVERLAY'), [
    '-s 10.2.21.0/24 -i enp0s3 -m comment --comment "flanneld forward" -j RETURN',
    '-s 10.2.0.0/16 -d 10.2.21.0/24 -i enp0s3 -m comment --comment "flanneld forward" -j ACCEPT',
  ])
})

test('-iptables-forward-rules=false leaves forwarding wholly alone', (t) => {
  t.deepEqual([...desiredChains([{ ...input, forward: false }], DOCKER).keys()], ['nat FLANNEL-NOMASQ'])
  t.is(desiredChains([{ ...input, forward: false }], NO_DOCKER).size, 0)
})

test('two networks: each chain has the rules of both, and those that name no network once', (t) => {
  const second = { ...input, network: prefix('10.3.0.0/16'), subnet: prefix('10.3.7.0/24'), masquerade: true }
  const one = desiredChains([{ ...input, masquerade: true }], DOCKER)
  const other = desiredChains([second], DOCKER)
  const both = desiredChains([{ ...input, masquerade: true }, second], DOCKER)
  t.deepEqual([...both.keys()], [...one.keys()])
  for (const [chain, rules] of both)
    t.deepEqual(rules, [...new Set([...(one.get(chain) ?? []), ...(other.get(chain) ?? [])])], chain)
  t.is(both.get('nat FLANNEL-POSTRTG')?.length, 11)
  const plain = desiredChains([input, { ...second, masquerade: false }], NO_DOCKER)
  t.is(plain.get('filter FLANNEL-FWD')?.length, 4)
})

test('two networks, one of them by nftables: iptables has the chains that each needs', (t) => {
  const second = { ...input, network: prefix('10.3.0.0/16'), subnet: prefix('10.3.7.0/24'), nftables: true }
  const rules = [...desiredChains([input, second], NO_DOCKER).values()].flat().join('\n')
  t.regex(rules, /10\.2\.0\.0/)
  t.notRegex(rules, /10\.3\./)
})
