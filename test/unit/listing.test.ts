// The listing a claim is decided on: what of it is read, and what it is after the claim.
import test from 'ava'
import type { StoreEntry } from '../../src/etcd/store.ts'
import { parseAddress } from '../../src/ip/address.ts'
import { addressOf, parsePrefix } from '../../src/ip/prefix.ts'
import type { Claim, OwnLease } from '../../src/lease/found.ts'
import { findLeases } from '../../src/lease/claim.ts'
import { afterClaim, mattersTo } from '../../src/lease/listing.ts'
import { NEITHER, onlySubnet, only } from '../../src/ip/by-family.ts'

const PREFIX = '/docker-test/network'
const own = parsePrefix('10.2.21.0/24')
const other = parsePrefix('10.2.22.0/24')
const address = parseAddress('192.168.19.121')
if (own === undefined || other === undefined || address === undefined) throw new Error('bad value in a test')

const value = { addresses: only(4, address), sourceAddresses: NEITHER, backendType: 'vxlan', hostId: 'a-host' } as const
const lease = {
  subnets: onlySubnet(own),
  key: `${PREFIX}/subnets/10.2.21.0-24`,
  modRevision: '9',
  etcdLease: '77',
}
const held: OwnLease = { ...lease, value: { ...value, backendData: NEITHER } }
const claim: Claim = {
  hostId: 'a-host',
  addresses: only(4, address),
  ranges: {
    ipv4: { network: own, subnetLen: 24, subnetMin: addressOf(own), subnetMax: addressOf(own) },
    ipv6: undefined,
  },
  previous: NEITHER,
  value: () => held.value,
}

function entry(key: string, text: string): StoreEntry {
  return { key, value: Buffer.from(text), createRevision: '3', modRevision: '4', lease: '5' }
}

test('leases that name our address or id are read, however JSON spells them; of others only the subnet', (t) => {
  const texts = [
    '{"PublicIP":"192.168.19.121"}',
    '{"PublicIP":"1.2.3.4","HostID":"a-host"}',
    '{"PublicIP":"192.168.19.12\\u0031"}',
    '{"PublicIP":"192.168.19.122","HostID":"b-host"}',
  ]
  const entries = texts.map((text, n) => entry(`${PREFIX}/subnets/10.2.${n}.0-24`, text))
  const found = findLeases(PREFIX, entries, mattersTo(claim, undefined))
  t.deepEqual(
    found.map(({ subnets, value: read }) => `${subnets.ipv4 ?? ''} ${read?.addresses.ipv4 ?? 'unread'}`),
    ['10.2.0.0/24 192.168.19.121', '10.2.1.0/24 1.2.3.4', '10.2.2.0/24 192.168.19.121', '10.2.3.0/24 unread'],
  )
})

test('our own leases are read, and a host that waits for its subnet reads all', (t) => {
  const entries = [
    entry(held.key, '{"PublicIP":"1.2.3.4"}'),
    entry(`${PREFIX}/subnets/10.2.3.0-24`, '{"PublicIP":"1.2.3.5"}'),
  ]
  const read = (matters: (one: StoreEntry) => boolean): readonly unknown[] =>
    findLeases(PREFIX, entries, matters).map((found) => found.value?.addresses.ipv4)
  t.deepEqual(read(mattersTo(claim, held)), ['1.2.3.4', undefined])
  t.deepEqual(read(mattersTo({ ...claim, waitsForPrevious: true }, undefined)), ['1.2.3.4', '1.2.3.5'])
})

test('after the claim our lease is in it as written, what we gave up is not, and the revision stays', (t) => {
  const gone = entry(`${PREFIX}/subnets/10.2.22.0-24`, '{}')
  const kept = entry(`${PREFIX}/subnets/10.2.23.0-24`, '{}')
  const before = { revision: '8', cluster: '1', entries: [entry(held.key, '{}'), gone, kept] }
  const after = afterClaim(before, held, [gone])
  t.deepEqual([after.revision, after.cluster], ['8', '1'])
  t.deepEqual(
    after.entries.map(({ key, modRevision, createRevision, lease: id }) => [key, modRevision, createRevision, id]),
    [
      [kept.key, '4', '3', '5'],
      [held.key, '9', '3', '77'],
    ],
  )
  t.regex(after.entries[1]?.value.toString() ?? '', /"PublicIP":"192\.168\.19\.121".*"HostID":"a-host"/)
})
