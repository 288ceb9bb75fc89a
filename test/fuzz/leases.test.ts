// What anybody may write under subnets/: keys, values, and any sequence of them.
import test from 'ava'
import fc from 'fast-check'
import { hostGw } from '../../backends/host-gw/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { AnyBackend, Peer } from '../../src/backend.ts'
import { MOST_VALUE_BYTES } from '../../src/etcd/oversized.ts'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import { isUnicast, parseAddress } from '../../src/ip/address.ts'
import { isStation, parseMac } from '../../src/ip/mac.ts'
import { contains, lengthOf, overlaps, parsePrefix } from '../../src/ip/prefix.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from '../../src/lease/codec.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import type { PeerStep } from '../../src/lease/peer-step.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { ENP0S3, VXLAN_DEFAULTS, prefix, selfWith } from '../fake/values.ts'
import { anyJson, anyText, inputs, nearly, objectWith } from './inputs.ts'

const PREFIX = '/n'
const folder = `${PREFIX}/subnets/`

const names = fc.oneof(
  nearly('10.2.3.0-24', '10.2.3.0-24&fc00:3::-64', '0.0.0.0-0', '10.2.3.128-25', 'fc00::-64', '255.255.255.255-32'),
  anyText,
)

test('keys: never throws; what is read is written the same', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        names.map((name) => folder + name),
        names,
      ),
      (key) => {
        const read = decodeKey(PREFIX, key)
        if (!read.ok) return read.reason === 'key'
        const { ipv4: subnet, ipv6: subnet6 } = read.value
        return (
          encodeKey(PREFIX, read.value) === key &&
          (subnet !== undefined || subnet6 !== undefined) &&
          (subnet === undefined || parsePrefix(subnet) === subnet) &&
          (subnet6 === undefined || parsePrefix(subnet6) === subnet6)
        )
      },
    ),
    inputs(300_000),
  )
  t.pass()
})

const addresses = fc.oneof(
  fc.ipV4(),
  nearly('192.168.19.122', '10.2.3.4', '255.255.255.255', '0.0.0.0', '::ffff:1.2.3.4', 'fc00::1'),
)
const macs = fc.oneof(
  fc.constantFrom(
    '0a:00:00:00:00:01',
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    '0A-00-00-00-00-01',
  ),
  nearly('0a:00:00:00:00:01'),
)
const values = objectWith({
  PublicIP: addresses,
  PublicIPv6: fc.oneof(fc.constant(null), fc.ipV6()),
  publicip: addresses,
  BackendType: fc.constantFrom('vxlan', 'host-gw', 'udp', '', 'VXLAN'),
  BackendData: objectWith({ VNI: fc.constantFrom(1, 2, '1', -1, 1e99), VtepMAC: macs }),
  HostID: fc.string(),
}).map((value) => JSON.stringify(value))
const GOOD =
  '{"PublicIP":"192.168.19.122","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}}'

const bytes = fc.oneof(
  values.map((text) => Buffer.from(text)),
  nearly(GOOD).map((text) => Buffer.from(text)),
  anyText.map((text) => Buffer.from(text)),
  anyJson.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array)),
)

test('values: never throws; what is read has good addresses and is written so that it reads the same', (t) => {
  fc.assert(
    fc.property(bytes, (value) => {
      const read = decodeValue(value)
      if (!read.ok) return ['json', 'oversized', 'public-ip', 'backend-type'].includes(read.reason)
      const { addresses, backendType } = read.value
      const { ipv4, ipv6 } = addresses
      const written = Buffer.from(encodeValue(read.value))
      if (written.length > MOST_VALUE_BYTES) return true
      const again = decodeValue(written)
      // Compared as text: comparing values as deep as these takes longer than reading them.
      if (!again.ok || JSON.stringify(again) !== JSON.stringify(read)) return false
      return (
        (ipv4 !== undefined || ipv6 !== undefined) &&
        (ipv4 === undefined || (parseAddress(ipv4) === ipv4 && !ipv4.includes(':'))) &&
        (ipv6 === undefined || (parseAddress(ipv6) === ipv6 && ipv6.includes(':'))) &&
        backendType !== ''
      )
    }),
    inputs(150_000),
  )
  t.pass()
})

const OWN = prefix('10.2.1.0/24')
const ways = new Map<string, { readonly backend: AnyBackend; readonly config: unknown }>([
  ['vxlan', { backend: vxlan, config: VXLAN_DEFAULTS }],
  ['host-gw', { backend: hostGw, config: null }],
])
const RULES: PeerRules = {
  family: 4 as const,
  network: prefix('10.2.0.0/16'),
  subnetLen: 24,
  own: { key: `${folder}10.2.1.0-24`, subnet: OWN },
  publicAddress: ENP0S3.publicAddress,
  hostId: '0'.repeat(32),
  onlink: ENP0S3.onlink,
  parseData: (type, data) => {
    const way = ways.get(type)
    return way?.backend.parsePeerData(data, way.config) ?? { ok: false, reason: 'backend-type', detail: type }
  },
  needs: (peer) => {
    const way = ways.get(peer.type)
    const self = selfWith<unknown>(way?.config, { subnet: OWN })
    return way?.backend.forPeer(self, peer) ?? { ok: false, reason: 'backend-type', detail: peer.type }
  },
  exclusive: (type, data) => ways.get(type)?.backend.exclusive(data),
}

const often = (text: string): Buffer => Buffer.from(text)
const goodValues = fc
  .record({
    host: fc.constantFrom(121, 122, 123, 255),
    station: fc.constantFrom(1, 2),
    type: fc.constantFrom('vxlan', 'vxlan', 'host-gw'),
  })
  .map(({ host, station, type }) =>
    often(
      `{"PublicIP":"192.168.19.${host}","BackendType":"${type}","BackendData":{"VNI":1,"VtepMAC":"0a:00:00:00:00:0${station}"}}`,
    ),
  )
const event = fc.record({
  name: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        '10.2.2.0-24',
        '10.2.2.0-24&fc00::-64',
        '10.2.3.0-24',
        '10.2.4.0-24',
        '10.2.1.0-24',
        '10.2.1.0-24&fc00::-64',
        '10.2.0.0-16',
      ),
    },
    { weight: 1, arbitrary: names },
  ),
  value: fc.oneof({ weight: 6, arbitrary: goodValues }, { weight: 1, arbitrary: bytes }),
  what: fc.constantFrom('put', 'put', 'put', 'delete'),
  end: fc.constantFrom('same step', 'step', 'step', 'listing', 'keeping'),
})

test('any sequence of puts, deletes and listings ends as a listing of the last state would, and never accepts a lease that must be refused', (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), fc.boolean(), (events, reversed) => {
      const table = new PeerTable(PREFIX, RULES)
      const reported = new Map<string, Peer>()
      const store = new Map<string, StoreEntry>()
      let pending: StoreChange[] = []
      const follow = ({ changes }: PeerStep): void => {
        for (const { subnet, before, after } of changes) {
          if (JSON.stringify(reported.get(subnet)) !== JSON.stringify(before))
            throw new Error(`${subnet}: reported otherwise`)
          if (after === undefined) reported.delete(subnet)
          else reported.set(subnet, after)
        }
        holdsRules(table, store.size > 0)
      }
      for (const [at, { name, value, what, end }] of events.entries()) {
        const key = folder + name
        if (what === 'put') {
          const createRevision = store.get(key)?.createRevision ?? String(at + 1)
          store.set(key, { key, value, createRevision, modRevision: String(at + 1), lease: '7' })
        } else store.delete(key)
        const entry = store.get(key)
        pending.push(entry ? { type: 'put', entry } : { type: 'delete', key, modRevision: String(at + 1) })
        if (end === 'step') follow(table.change(pending))
        if (end === 'listing') follow(table.snapshot([...store.values()]))
        if (end === 'keeping') {
          follow(table.change(pending))
          follow(table.snapshot([...store.values()], RULES, 'keep'))
        }
        if (end !== 'same step') pending = []
      }
      follow(table.change(pending))
      const fresh = new PeerTable(PREFIX, RULES)
      const last = [...store.values()]
      fresh.snapshot(reversed ? last.reverse() : last)
      t.deepEqual(new Map([...table.peers].toSorted()), new Map([...fresh.peers].toSorted()))
      t.deepEqual(new Map([...table.refused].toSorted()), new Map([...fresh.refused].toSorted()))
      t.deepEqual(new Map([...reported].toSorted()), new Map([...table.peers].toSorted()))
      // Every lease is a peer, ours, or refused with a reason.
      const ours = store.has(RULES.own?.key ?? '') ? 1 : 0
      t.is(table.peers.size + table.refused.size + ours, store.size)
    }),
    inputs(200_000),
  )
})

/** The rules for accepted leases, for all peers, whatever leases there are. */
function holdsRules({ peers }: PeerTable, some: boolean): void {
  const hosts = new Map<string, string>()
  for (const [subnet, { subnet: same, publicAddress, type, data }] of peers) {
    const { mac } = (data ?? {}) as { readonly mac?: string }
    const station = type === 'vxlan' ? parseMac(mac ?? '') : undefined
    const rules = [
      some,
      same === subnet,
      contains(RULES.network, subnet),
      lengthOf(subnet) === RULES.subnetLen,
      !overlaps(subnet, OWN),
      isUnicast(publicAddress),
      publicAddress !== RULES.publicAddress,
      !contains(RULES.network, publicAddress),
      !['192.168.19.0', '192.168.19.255'].includes(publicAddress),
      type !== 'vxlan' || (station !== undefined && isStation(station)),
      mac === undefined || (hosts.get(mac) ?? publicAddress) === publicAddress,
    ]
    if (!rules.every(Boolean)) throw new Error(`${subnet} ${publicAddress} ${type} ${mac ?? ''} is no peer`)
    if (mac !== undefined) hosts.set(mac, publicAddress)
  }
}
