// `flanneld docker-network`: what it asks an engine for, and how it tells that a network differs. Real engines: test/engines.
import test from 'ava'
import { differences, networkFor, refuseOverlap } from '../../src/cli/docker-network-plan.ts'
import type { LeasedSubnet } from '../../src/cli/leased-subnet.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'
import { prefix } from '../fake/values.ts'

const [V4, V6] = [prefix('10.2.21.0/24'), prefix('fd00:2:0:21::/64')]
const LEASE: LeasedSubnet = { subnets: { ipv4: V4, ipv6: V6 }, mtu: 1430, ipMasq: true }
const ALONE: LeasedSubnet = { ...LEASE, subnets: onlySubnet(V6) }

/** A network as engines list it. */
function listed(pools: readonly object[], over: object = {}): object {
  return {
    Name: 'flannel',
    Driver: 'bridge',
    EnableIPv6: true,
    Internal: false,
    IPAM: { Driver: 'default', Config: pools },
    Options: {
      'com.docker.network.driver.mtu': '1430',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
    },
    ...over,
  }
}

const POOL4 = { Subnet: '10.2.21.0/24', Gateway: '10.2.21.1' }
const POOL6 = { Subnet: 'fd00:2:0:21::/64', Gateway: 'fd00:2:0:21::1' }

test('the network has both subnets with their first addresses, and one of the two masquerades', (t) => {
  const wanted = networkFor('flannel', LEASE)
  t.like(wanted, { EnableIPv6: true, IPAM: { Driver: 'default', Config: [POOL4, POOL6] } })
  t.is(wanted.Options['com.docker.network.bridge.enable_ip_masquerade'], 'false')
  const alone = networkFor('flannel', { ...LEASE, subnets: onlySubnet(V4) })
  t.like(alone, { EnableIPv6: false, IPAM: { Config: [POOL4] } })
})

test('a network is right in whatever order it lists its subnets, with or without the gateways', (t) => {
  const wanted = networkFor('flannel', LEASE)
  t.deepEqual(differences(listed([POOL4, POOL6]), wanted), [])
  t.deepEqual(differences(listed([POOL6, { Subnet: '10.2.21.0/24' }]), wanted), [])
})

test('each difference says what is and what should be', (t) => {
  const wanted = networkFor('flannel', LEASE)
  t.deepEqual(differences(listed([POOL4], { EnableIPv6: false }), wanted), [
    'subnet: none, should be fd00:2:0:21::/64',
    'IPv6: false, should be true',
  ])
  const other = { Subnet: 'fd00:2:0:99::/64', Gateway: 'fd00:2:0:99::1' }
  t.deepEqual(differences(listed([POOL4, other]), wanted), [
    'subnet: fd00:2:0:99::/64, should be fd00:2:0:21::/64',
    'gateway: fd00:2:0:99::1, should be fd00:2:0:21::1',
  ])
  const four = networkFor('flannel', { ...LEASE, subnets: onlySubnet(V4) })
  t.deepEqual(differences(listed([POOL4, POOL6]), four), [
    'further subnets: fd00:2:0:21::/64, should be none',
    'IPv6: true, should be false',
  ])
})

test('with IPv6 alone the engine chooses an IPv4 subnet and masquerades it', (t) => {
  const wanted = networkFor('flannel', ALONE)
  t.like(wanted, { EnableIPv6: true, IPAM: { Config: [POOL6] } })
  t.is(wanted.Options['com.docker.network.bridge.enable_ip_masquerade'], 'true')
  const options = { ...wanted.Options }
  t.deepEqual(differences(listed([{ Subnet: '172.18.0.0/16' }, POOL6], { Options: options }), wanted), [])
})

test('another network with addresses of a leased subnet is named, with what to do', (t) => {
  const docker0 = { ...listed([POOL4, POOL6]), Name: 'bridge' }
  t.throws(
    () => {
      refuseOverlap([docker0], 'flannel', [V6])
    },
    { message: /docker0 has fd00:2:0:21::\/64 already \(dockerd --fixed-cidr-v6\).*without --fixed-cidr-v6$/ },
  )
  t.notThrows(() => {
    refuseOverlap([listed([POOL6])], 'flannel', [V4, V6])
  })
})
