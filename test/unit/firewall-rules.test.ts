// Which rules we want, in iptables-save's words. The first two are Go's flanneld's (pkg/trafficmngr/iptables).
import test from 'ava'
import { parsePrefix, type Prefix } from '../../src/ip/prefix.ts'
import { type DesiredChains, type DockerChains, type FirewallInput, desiredChains } from '../../src/firewall/rules.ts'

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

const NO_DOCKER: DockerChains = { user: false, nat: false }
const DOCKER: DockerChains = { user: true, nat: true }
const input: FirewallInput = {
  family: 4,
  network: prefix('10.2.0.0/16'),
  subnet: prefix('10.2.21.0/24'),
  masquerade: false,
  randomFully: true,
  forward: true,
  overlay: [{ name: 'flannel.1', shared: false }],
}

function golden(chains: DesiredChains): string {
  return [...chains].flatMap(([chain, rules]) => [`:${chain}`, ...rules]).join('\n')
}

test('FLANNEL-FWD accepts what comes from and goes to the network, as Go', (t) => {
  t.is(
    golden(desiredChains(input, NO_DOCKER)),
    `:filter FLANNEL-FWD
-s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
  )
})

test('-ip-masq: FLANNEL-POSTRTG is Go’s, rule for rule', (t) => {
  t.is(
    golden(desiredChains({ ...input, masquerade: true, forward: false }, NO_DOCKER)),
    `:nat FLANNEL-POSTRTG
-m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.21.0/24 -d 10.2.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.0.0/16 -d 10.2.21.0/24 -m comment --comment "flanneld masq" -j RETURN
! -s 10.2.0.0/16 -d 10.2.21.0/24 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
! -s 10.2.0.0/16 -d 10.2.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
  )
})

test('-ip-masq-fully-random-disable leaves --random-fully out; IPv6 has its own multicast', (t) => {
  const six = { ...input, family: 6, network: prefix('fc00::/48'), subnet: prefix('fc00:0:0:1::/64') } as const
  const chains = desiredChains({ ...six, masquerade: true, randomFully: false, forward: false }, NO_DOCKER)
  t.deepEqual(chains.get('nat FLANNEL-POSTRTG')?.slice(4), [
    '-s fc00::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE',
    '! -s fc00::/48 -d fc00::/48 -m comment --comment "flanneld masq" -j MASQUERADE',
  ])
})

test('F1: beside Docker, overlay traffic alone is let past its raw rules, and DOCKER-USER is asked first', (t) => {
  t.is(
    golden(desiredChains(input, DOCKER)),
    `:raw FLANNEL-OVERLAY
-s 10.2.0.0/16 -i flannel.1 -m comment --comment "flanneld forward" -j ACCEPT
:filter FLANNEL-USER
-s 10.2.0.0/16 -m comment --comment "flanneld forward" -j DOCKER-USER
! -s 10.2.0.0/16 -d 10.2.0.0/16 -m comment --comment "flanneld forward" -j DOCKER-USER
:filter FLANNEL-OVERLAY
-s 10.2.0.0/16 -i flannel.1 -m comment --comment "flanneld forward" -j ACCEPT
:filter FLANNEL-FWD
-s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
:nat FLANNEL-NOMASQ
-m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.21.0/24 -d 10.2.21.0/24 -m comment --comment "flanneld masq" -j RETURN
-s 10.2.21.0/24 -d 10.2.0.0/16 -m comment --comment "flanneld masq" -j ACCEPT`,
  )
})

test('F1: on an interface shared with others, our own subnet is no source', (t) => {
  const chains = desiredChains({ ...input, overlay: [{ name: 'enp0s3', shared: true }] }, DOCKER)
  t.deepEqual(chains.get('raw FLANNEL-OVERLAY'), [
    '-s 10.2.21.0/24 -i enp0s3 -m comment --comment "flanneld forward" -j RETURN',
    '-s 10.2.0.0/16 -i enp0s3 -m comment --comment "flanneld forward" -j ACCEPT',
  ])
})

test('-iptables-forward-rules=false leaves forwarding wholly alone', (t) => {
  t.deepEqual([...desiredChains({ ...input, forward: false }, DOCKER).keys()], ['nat FLANNEL-NOMASQ'])
  t.is(desiredChains({ ...input, forward: false }, NO_DOCKER).size, 0)
})
