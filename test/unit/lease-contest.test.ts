// Who keeps what only one host may have, when others claim it: no host gets it by writing it.
import test from 'ava'
import fc from 'fast-check'
import { EtcdError } from '../../src/errors.ts'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import { decide } from '../../src/lease/claim.ts'
import { encodeValue } from '../../src/lease/codec.ts'
import { Liveness, isRenewed } from '../../src/lease/liveness.ts'
import { winner } from '../../src/lease/exclusive-claims.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { address, prefix } from '../fake/values.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { NEITHER, onlySubnet, only } from '../../src/ip/by-family.ts'
import { PEER_RULES } from '../fake/peer-rules.ts'

const silent = new Set<string>()
const RULES: PeerRules = { ...PEER_RULES, alive: (key) => !silent.has(key), remembersClaims: true }
let revision = 1000
function lease(n: number, station: number, created: number, host = n): StoreEntry {
  const data = { VNI: 1, VtepMAC: `0a:00:00:00:00:0${station}` }
  return {
    key: `/n/subnets/10.2.${n}.0-24`,
    value: Buffer.from(JSON.stringify({ PublicIP: `192.168.0.${host}`, BackendType: 'vxlan', BackendData: data })),
    createRevision: String(created),
    modRevision: String(++revision),
    lease: '7',
  }
}
const put = (entry: StoreEntry): StoreChange => ({ type: 'put', entry })
const gone = ({ key }: StoreEntry): StoreChange => ({ type: 'delete', key, modRevision: String(++revision) })
const believed = (table: PeerTable): readonly string[] =>
  [...table.peers.values()].map(({ subnet, publicAddress }) => `${subnet} ${publicAddress}`).toSorted()

test('a host that was there first does not get the MAC of a later one by writing it into its old lease', (t) => {
  const table = new PeerTable('/n', RULES)
  table.snapshot([lease(2, 5, 10), lease(3, 6, 20)])
  t.deepEqual(
    table.change([put(lease(2, 6, 10))]).refused.map(({ key }) => key),
    ['/n/subnets/10.2.2.0-24'],
  )
  t.deepEqual(believed(table), ['10.2.3.0/24 192.168.0.3'])
  // Nor by a detour over a lease that is refused, nor once the other has written its own again.
  table.change([put({ ...lease(2, 6, 10), value: Buffer.from('nonsense') })])
  table.change([put(lease(2, 6, 10))])
  table.change([put(lease(3, 6, 20))])
  table.change([put(lease(2, 6, 10))])
  t.deepEqual(believed(table), ['10.2.3.0/24 192.168.0.3'])
})

test('a host whose key is deleted and written again keeps its MAC from one that waits for it', (t) => {
  const table = new PeerTable('/n', RULES)
  table.snapshot([lease(2, 5, 10), lease(3, 5, 20)])
  // The deletion is not acted on within half a second: the key comes again as a put.
  t.deepEqual(table.change([put(lease(2, 5, 30))]).changes, [])
  t.deepEqual(believed(table), ['10.2.2.0/24 192.168.0.2'])
})

test('a newer host gets the MAC when the older is no longer renewed, and loses it when that one is again', (t) => {
  const table = new PeerTable('/n', RULES)
  table.snapshot([lease(2, 5, 10), lease(3, 5, 20)])
  t.deepEqual(
    table.rivals,
    ['10.2.2.0-24', '10.2.3.0-24'].map((name) => `/n/subnets/${name}`),
  )
  t.deepEqual(table.resettle(), { changes: [], refused: [] })
  silent.add('/n/subnets/10.2.2.0-24')
  table.resettle()
  t.deepEqual(believed(table), ['10.2.3.0/24 192.168.0.3'])
  silent.clear()
  table.resettle()
  t.deepEqual(believed(table), ['10.2.2.0/24 192.168.0.2'])
  table.change([gone(lease(2, 5, 10))])
  t.deepEqual(believed(table), ['10.2.3.0/24 192.168.0.3'])
  t.deepEqual(table.rivals, [])
})

test('two leases of one address are one host, also when another claims its MAC', (t) => {
  const table = new PeerTable('/n', RULES)
  table.snapshot([lease(2, 5, 10), lease(3, 5, 20), lease(4, 5, 30, 2)])
  t.deepEqual(believed(table), ['10.2.2.0/24 192.168.0.2', '10.2.4.0/24 192.168.0.2'])
})

test('whatever the others write, a living host keeps its MAC while its lease says the same', (t) => {
  const attack = fc.record({
    n: fc.constantFrom(2, 4, 5),
    station: fc.constantFrom(5, 6),
    host: fc.constantFrom(2, 4, 5),
    what: fc.constantFrom('put', 'put', 'delete', 'nonsense', 'listing'),
  })
  fc.assert(
    fc.property(fc.array(attack, { maxLength: 30 }), fc.constantFrom(1, 50), (attacks, age) => {
      const table = new PeerTable('/n', RULES)
      const store = new Map([lease(2, 6, 10), lease(3, 5, age)].map((entry) => [entry.key, entry]))
      table.snapshot([...store.values()])
      for (const { n, station, host, what } of attacks) {
        const { key } = lease(n, 5, 0)
        if (what === 'delete') store.delete(key)
        else if (what !== 'listing') {
          const entry = lease(n, station, Number(store.get(key)?.createRevision ?? ++revision), host)
          store.set(key, what === 'nonsense' ? { ...entry, value: Buffer.from('x') } : entry)
        }
        const entry = store.get(key)
        if (what === 'listing') table.snapshot([...store.values()])
        else table.change([entry === undefined ? gone(lease(n, 5, 0)) : put(entry)])
        t.true(believed(table).includes('10.2.3.0/24 192.168.0.3'))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('of claims that live the oldest wins; of those that do not, the newest', (t) => {
  const claim = (host: number, claimed: number, alive: boolean) =>
    ({ publicAddress: address(`192.168.0.${host}`), claimed, alive }) as const
  t.is(winner([claim(2, 10, true), claim(3, 20, true)]), address('192.168.0.2'))
  t.is(winner([claim(2, 10, false), claim(3, 20, true), claim(4, 30, true)]), address('192.168.0.3'))
  t.is(winner([claim(2, 10, false), claim(3, 20, false)]), address('192.168.0.3'))
  t.is(winner([]), undefined)
})

test('a lease counts as renewed by what its daemon does: ours every ten seconds, Go an hour before the end', (t) => {
  const day = 86_400
  t.true(isRenewed({ remaining: day - 60, granted: day }, 'host'))
  t.false(isRenewed({ remaining: day - 300, granted: day }, 'host'))
  t.true(isRenewed({ remaining: day - 300, granted: day }, undefined))
  t.false(isRenewed({ remaining: 1_000, granted: day }, undefined))
  t.false(isRenewed(undefined, 'host'))
})

test('etcd is asked for the leases that claim the same, while there are any; its silence changes nothing', async (t) => {
  const stop = new AbortController()
  let [asked, changes, remaining, broken] = [0, 0, 86_390, false]
  const store = {
    get: (key: string) => {
      asked++
      if (broken) return Promise.reject(new EtcdError('unreachable', 'http://a:1', 'gone'))
      const value = Buffer.from('{"PublicIP":"192.168.0.2","BackendType":"vxlan","HostID":"x"}')
      return Promise.resolve({ revision: '1', entry: { ...lease(2, 5, 1), key, value } })
    },
    timeToLive: () => Promise.resolve({ remaining, granted: 86_400 }),
  }
  const liveness = new Liveness(store, stop.signal, () => changes++, 1)
  liveness.watch(['a'])
  await waitFor('questions', () => asked > 3)
  t.deepEqual([changes, liveness.lives('a')], [0, true])
  remaining = 80_000
  await waitFor('its silence', () => !liveness.lives('a'))
  broken = true
  const before = asked
  await waitFor('questions in vain', () => asked > before + 3)
  t.deepEqual([changes, liveness.lives('a')], [1, false])
  broken = false
  remaining = 86_399
  await waitFor('its return', () => liveness.lives('a'))
  liveness.watch([])
  t.true(liveness.lives('a'))
  stop.abort()
})

test('a flood of claims does not stop requests for any subnet', async (t) => {
  const stop = new AbortController()
  const flood = Array.from({ length: 450 }, (_, n) => `flood-${n}`)
  const value = Buffer.from('{"PublicIP":"192.168.0.2","BackendType":"vxlan","HostID":"x"}')
  let [asked, turns] = [0, 0]
  const store = {
    get: (key: string) => {
      asked++
      const entry = { ...lease(2, 5, 1), key, value, lease: key.startsWith('flood') ? '7' : '8' }
      return Promise.resolve({ revision: '1', entry })
    },
    timeToLive: (of: string) => Promise.resolve({ remaining: of === '8' ? 80_000 : 86_399, granted: 86_400 }),
  }
  const liveness = new Liveness(store, stop.signal, () => turns++, 1)
  liveness.watch([...flood, 'moved away'])
  await waitFor('the one behind them all', () => !liveness.lives('moved away'))
  // The turns of the others change nothing of what was found.
  const before = asked
  await waitFor('two more rounds', () => asked > before + 900)
  t.deepEqual([turns, liveness.lives('moved away'), liveness.lives('flood-0')], [1, false, true])
  stop.abort()
})

test('a lease into which another host wrote our name and address is given up, not taken for ours', (t) => {
  const value = () => ({
    addresses: only(4, address('192.168.0.1')),
    sourceAddresses: NEITHER,
    backendType: 'vxlan',
    backendData: NEITHER,
    hostId: 'us',
  })
  const named = (n: number, modRevision: string) => ({
    key: `/n/subnets/10.2.${n}.0-24`,
    subnets: onlySubnet(prefix(`10.2.${n}.0/24`)),
    modRevision,
    text: encodeValue(value()),
    value: value(),
    etcdLease: String(n),
  })
  const range = { network: prefix('10.2.0.0/16'), subnetLen: 24 }
  const ipv4 = { ...range, subnetMin: address('10.2.1.0'), subnetMax: address('10.2.9.0') }
  const claim = {
    hostId: 'us',
    addresses: only(4, address('192.168.0.1')),
    ranges: { ipv4, ipv6: undefined },
    value,
    previous: NEITHER,
  }
  // The forged one sorts first, and subnet.env is gone after a reboot.
  const [forged, ours] = [named(2, '90'), named(5, '9')]
  t.like(
    decide([forged, ours], claim, undefined, new Map(), () => 0),
    {
      type: 'claim',
      subnets: ours.subnets,
      release: [forged],
    },
  )
})
