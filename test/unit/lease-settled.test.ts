// A host that runs keeps its subnet: no config, no deletion and no older copy of etcd moves it, only another host on it.
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import {
  type Configuration,
  readConfiguration,
  refusesChange,
  primaryRange,
} from '../../src/network-config/configuration.ts'
import { ConfigError } from '../../src/errors.ts'
import { fromNumber } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { leaving } from '../../src/lease/acquisition-lines.ts'
import type { Claim, ListedLease, OwnLease } from '../../src/lease/found.ts'
import { decide } from '../../src/lease/claim.ts'
import { encodeKey, encodeValue } from '../../src/lease/codec.ts'
import { claimOf, range, valueOf } from '../lab/actors/lease-holder.ts'
import { primarySubnet } from '../../src/lease/lease.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'

const HOME = '10.2.78.0/24' as Prefix
const OURS = fromNumber(0xc0a81301)

function lease(
  subnet: string,
  host: number,
  modRevision = '5',
  hostId: string | undefined = `host-${host}`,
): ListedLease {
  const subnets = onlySubnet(subnet as Prefix)
  const value = valueOf(fromNumber(0xc0a81300 + host), hostId)
  const place = { subnets, key: encodeKey('/n', subnets), etcdLease: String(70 + host) }
  return { ...place, text: encodeValue(value), value, modRevision }
}

const held: OwnLease = { ...lease(HOME, 1, '100'), value: valueOf(OURS, 'host-1') }
/** A range that our subnet is not in. */
const elsewhere: Partial<Claim> = { ranges: { ipv4: range(40), ipv6: undefined } }

function decided(
  leases: readonly ListedLease[],
  change: Partial<Claim> = elsewhere,
  alive: Record<string, boolean> = {},
) {
  return decide(
    leases,
    claimOf(1, { previous: onlySubnet(HOME), ...change }),
    held,
    new Map(Object.entries(alive)),
    () => 0,
  )
}

test('outside the range of the config, new values are written to the lease it has', (t) => {
  const claim = { ...elsewhere, value: () => ({ ...valueOf(OURS, 'host-1'), backendType: 'host-gw' }) }
  t.like(decided([lease(HOME, 1, '100')], claim), { type: 'claim', subnets: onlySubnet(HOME), modRevision: '100' })
})

test('outside the range of the config, a deleted key is written again, under the etcd lease it had', (t) => {
  t.like(decided([]), { type: 'claim', subnets: onlySubnet(HOME), modRevision: '0', etcdLease: '71', release: [] })
})

test('an older lease of ours that comes back with a copy of etcd is given up, not moved to', (t) => {
  const older = lease('10.2.7.0/24', 1, '40')
  for (const change of [{}, elsewhere])
    t.like(decided([older], change), { type: 'claim', subnets: onlySubnet(HOME), release: [older] })
})

test('a reservation made for it while it runs waits for its next start, though its key is deleted', (t) => {
  t.like(decided([{ ...lease('10.2.7.0/24', 1), etcdLease: '0' }]), { type: 'claim', subnets: onlySubnet(HOME) })
})

test('another host on its subnet makes it move, into the range of the config', (t) => {
  for (const there of [lease(HOME, 2, '101'), lease('10.2.78.128/25', 2, '101')])
    t.like(decided([there]), { type: 'claim', subnets: onlySubnet('10.2.1.0/24' as Prefix), release: [] })
  const waiting = { ...elsewhere, waitsForPrevious: true }
  t.like(decided([lease(HOME, 2, '101')], waiting), { type: 'conflict', lease: { subnets: onlySubnet(HOME) } })
})

test("another host's lease from before ours, in a copy of etcd: waited for, then ours again unless that host lives there", (t) => {
  const relic = lease(HOME, 2, '40')
  t.deepEqual(decided([relic]), { type: 'probe', lease: relic })
  const dead = decided([relic], elsewhere, { [relic.key]: false })
  t.like(dead, { type: 'claim', subnets: onlySubnet(HOME), modRevision: '40', etcdLease: undefined })
  const lives = decided([relic], elsewhere, { [relic.key]: true })
  t.like(lives, { type: 'claim', subnets: onlySubnet('10.2.1.0/24' as Prefix), release: [] })
})

test("a reservation and a lease of Go's flanneld are never written: they do not show whether the host lives", (t) => {
  for (const there of [
    { ...lease(HOME, 2, '40'), etcdLease: '0' },
    { ...lease(HOME, 2, '40'), ...goes(2) },
  ])
    t.like(decided([there]), { type: 'claim', subnets: onlySubnet('10.2.1.0/24' as Prefix), release: [] })
})

test('the log says which subnet was left at a start, and what the config has instead', (t) => {
  const claim = claimOf(1, { previous: onlySubnet(HOME), ...elsewhere })
  const to = (subnet: string, release: readonly ListedLease[] = []) => ({
    release,
    subnets: onlySubnet(subnet as Prefix),
  })
  const line = 'gave up 10.2.78.0/24 for 10.2.24.0/24: the network config has subnets of /24 from 10.2.1.0 to 10.2.40.0'
  t.deepEqual(leaving(to('10.2.24.0/24'), claim, undefined), [line])
  t.deepEqual(leaving(to('10.2.24.0/24', [lease(HOME, 1)]), claim, undefined), [line])
  t.deepEqual(leaving(to(HOME), claim, undefined), [])
  t.deepEqual(leaving(to('10.2.24.0/24'), claim, held), [], 'who runs says it once, as a move')
})

function goes(host: number): Pick<ListedLease, 'value' | 'text'> {
  const value = valueOf(fromNumber(0xc0a81300 + host), undefined)
  return { value, text: encodeValue(value) }
}

/** What may happen, in any order. */
type Happening =
  | { readonly type: 'config'; readonly text: string }
  | { readonly type: 'key deleted' | 'etcd emptied' | 'etcd lease ended' | 'older copy' }

const subnetIn = fc.integer({ min: 0, max: 255 }).map((third) => `10.2.${third}.0`)
const option = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const CONFIG = fc.record({
  Network: fc.constantFrom('10.2.0.0/16', '10.2.0.0/16', '10.0.0.0/8', '10.2.64.0/19', '10.2.0.0/17', '10.9.0.0/16'),
  SubnetLen: fc.constantFrom(undefined, 24, 24, 25, 26),
  SubnetMin: option(subnetIn),
  SubnetMax: option(subnetIn),
  Backend: fc.record({
    Type: fc.constantFrom('vxlan', 'vxlan', 'host-gw', 'alloc'),
    VNI: option(fc.integer({ min: 1, max: 9 })),
    Port: option(fc.integer({ min: 8472, max: 8475 })),
    MTU: option(fc.integer({ min: 1300, max: 1400 })),
    DirectRouting: option(fc.boolean()),
  }),
})
const HAPPENING: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: CONFIG.map((config) => ({ type: 'config' as const, text: JSON.stringify(config) })) },
  ...(['key deleted', 'etcd emptied', 'etcd lease ended', 'older copy'] as const).map((type) => ({
    weight: 1,
    arbitrary: fc.constant({ type }),
  })),
)

/** A config a daemon would take, or undefined. */
function read(text: string): Configuration | undefined {
  try {
    return readConfiguration(text, BACKENDS)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

test('no sequence of configs, lost keys and older copies of etcd moves a host that runs', (t) => {
  let accepted = 0
  const happenings = fc.array(HAPPENING, { minLength: 1, maxLength: 12 })
  const others = fc.uniqueArray(fc.integer({ min: 0, max: 77 }), { maxLength: 8 })
  fc.assert(
    fc.property(happenings, others, (list, thirds) => {
      const foreign = thirds.map((third, i) => lease(`10.2.${third}.0/24`, i + 2, '3'))
      const older = lease('10.2.200.0/24', 1, '2')
      let running = readConfiguration('{"Network":"10.2.0.0/16"}', BACKENDS)
      let own = held
      let there: readonly ListedLease[] = [...foreign, { ...lease(HOME, 1, '100') }]
      let revision = 100
      for (const happening of list) {
        if (happening.type === 'config') {
          const next = read(happening.text)
          if (next === undefined || refusesChange(running, next, own.subnets) !== undefined) continue
          running = next
          accepted++
        } else if (happening.type === 'key deleted') there = there.filter(({ key }) => key !== own.key)
        else if (happening.type === 'etcd emptied') there = []
        else if (happening.type === 'etcd lease ended') there = there.filter(({ etcdLease }) => etcdLease !== '71')
        else there = [...foreign, older]
        const value = { ...valueOf(OURS, 'host-1'), backendType: running.own.backend.type }
        const ranges = { ipv4: primaryRange(running), ipv6: undefined }
        const claim = claimOf(1, { ranges, previous: own.subnets, value: () => value })
        const decision = decide(there, claim, own, new Map(), Math.random)
        if (decision.type === 'keep') continue
        if (decision.type !== 'claim') return t.fail(`${decision.type} after ${JSON.stringify(happening)}`)
        t.is(primarySubnet(decision), HOME, JSON.stringify(happening))
        revision++
        own = { ...own, value, modRevision: String(revision), etcdLease: decision.etcdLease ?? '71' }
        const gone = new Set([own.key, ...decision.release.map(({ key }) => key)])
        const written = { ...own, text: encodeValue(value) }
        there = [...there.filter(({ key }) => !gone.has(key)), written]
      }
    }),
    { numRuns: 1_500 },
  )
  t.true(accepted > 1_000, `${accepted} configs accepted`)
})
