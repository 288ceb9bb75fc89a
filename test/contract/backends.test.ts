// What src/backend.ts promises of every backend, held against all that backends/index.ts lists, and the one to copy.
import { only } from '../../src/ip/by-family.ts'
import { createHash } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { weighted } from '../../examples/backend-template/index.ts'
import type { AnyBackend, ExternalInterface, JsonObject, Peer, Self } from '../../src/backend.ts'
import { fromNumber } from '../../src/ip/address.ts'
import { prefixOf } from '../../src/ip/prefix.ts'
import { KINDS, type KernelObject, keyOf } from '../../src/kernel/state.ts'
import { KindComparison } from '../../src/kernel/diff.ts'
import { owns } from '../../src/kernel/ownership.ts'
import { createSection } from '../../src/network-config/section.ts'
import { type Intent, domainOf, hostObjects, peerObjects } from '../../src/reconcile/intent.ts'
import { FakeKernel } from '../fake/kernel.ts'
import { ENP0S3, REQUIRED_KEYS, prefix, selfWith } from '../fake/values.ts'

const NETWORK = 0x0a02_0000

function configOf(backend: AnyBackend, raw: JsonObject = {}): unknown {
  return backend.parseConfig(createSection({ Type: backend.type, ...REQUIRED_KEYS[backend.type], ...raw }, 'Backend'))
}

/** What a host has prepared for a backend. */
function preparedBy(backend: AnyBackend, host: string): ReadonlyMap<string, string> {
  const prepares = backend.prepares?.(configOf(backend), prefix('10.2.0.0/16'), ENP0S3) ?? []
  return new Map(prepares.map(({ name }) => [name, createHash('sha256').update(host).digest('base64')]))
}

/** A peer as this backend itself would publish it, from the host 192.168.19.<host>. */
function peerOf(backend: AnyBackend, subnet: number, host: number): Peer {
  const address = fromNumber(0xc0a8_1300 + host)
  const external: ExternalInterface = { ...ENP0S3, address, publicAddress: address }
  const self: Self<unknown> = selfWith(configOf(backend), {
    subnet: prefixOf(fromNumber(NETWORK + subnet * 256), 24),
    external,
    hostId: `host ${host} ${subnet}`,
    prepared: preparedBy(backend, `host ${host}`),
  })
  const parsed = backend.parsePeerData(JSON.parse(JSON.stringify(backend.leaseData(self) ?? null)), self.config)
  if (!parsed.ok) throw new Error(`${backend.type} does not read what it writes: ${parsed.reason}`)
  return { subnet: self.subnet, publicAddress: address, type: backend.type, data: parsed.value }
}

function intentOf(backend: AnyBackend, raw: JsonObject = {}, nexthops = false): Intent {
  return {
    active: [{ backend, config: configOf(backend, raw) }],
    selves: only(4, selfWith(undefined, { nexthops, prepared: preparedBy(backend, 'own') })),
    blackhole: true,
    leftovers: [],
  }
}

function objectsOf(intent: Intent, peers: readonly Peer[]): KernelObject[] {
  const each = peers.flatMap((peer) => {
    const checked = peerObjects(intent, peer)
    return checked.ok ? checked.value : []
  })
  return [...hostObjects(intent), ...each]
}

/** Distinct subnets (ours, number 21, apart) on distinct hosts. */
const somePeers = fc.uniqueArray(
  fc.integer({ min: 1, max: 200 }).filter((n) => n !== 21),
  { maxLength: 30 },
)

for (const backend of [...BACKENDS, weighted as AnyBackend]) {
  const { type } = backend

  test(`${type}: reads back the lease data it publishes`, (t) => {
    t.notThrows(() => peerOf(backend, 3, 122))
  })

  test(`${type}: decodes any peer data without throwing, to the same answer each time`, (t) => {
    const config = configOf(backend)
    fc.assert(
      fc.property(fc.anything(), (data) => {
        t.deepEqual(backend.parsePeerData(data, config), backend.parsePeerData(data, config))
      }),
    )
  })

  test(`${type}: a section with the required keys is a config, an MTU for containers is that of the underlay at most`, (t) => {
    const self = selfWith(configOf(backend))
    t.true(backend.mtu(self) <= ENP0S3.mtu && backend.mtu(self) >= 1400)
    t.is(backend.refuses(ENP0S3), undefined)
  })

  test(`${type}: what wraps packets to a peer leaves room for them, between this host and that one`, (t) => {
    const self = selfWith(configOf(backend))
    const peer = peerOf(backend, 3, 122)
    const wrapping = backend.wraps?.(self, peer)
    t.deepEqual(backend.wraps?.(self, peer), wrapping)
    if (wrapping === undefined) return
    const { from, to, overhead, outer } = wrapping
    t.deepEqual([from, to], [ENP0S3.address, peer.publicAddress])
    t.true(overhead > 0 && backend.mtu(self) + overhead <= ENP0S3.mtu)
    t.regex(outer, /^(udp|ip protocol) \d+$/)
  })

  for (const raw of [{}, { DirectRouting: true }] as const) {
    for (const nexthops of [false, true]) {
      const variant = `${type}${'DirectRouting' in raw ? ' with DirectRouting' : ''}${nexthops ? ' through nexthops' : ''}`

      test(`${variant}: every object is claimed once and is ours, whatever the order of the peers`, (t) => {
        const intent = intentOf(backend, raw, nexthops)
        fc.assert(
          fc.property(somePeers, (numbers) => {
            const peers = numbers.map((n) => peerOf(backend, n, n))
            const objects = objectsOf(intent, peers)
            const keys = objects.map(keyOf)
            t.is(new Set(keys).size, keys.length)
            t.true(objects.every((object) => owns(domainOf(intent), object)))
            t.deepEqual(keys.toSorted(), objectsOf(intent, peers.toReversed()).map(keyOf).toSorted())
          }),
        )
      })

      test(`${variant}: applied once, a second comparison finds nothing; without peers, nothing of them stays`, async (t) => {
        const intent = intentOf(backend, raw, nexthops)
        const peers = [3, 4, 99].map((n) => peerOf(backend, n, n))
        const kernel = new FakeKernel()
        const compare = async (wanted: readonly KernelObject[]): Promise<number> => {
          let changes = 0
          for (const kind of KINDS) {
            const ofKind = wanted.filter((object) => object.kind === kind)
            const found = new KindComparison(new Map(await kernel.observe(kind)), domainOf(intent), () => false)
            const writes = ofKind.flatMap((object) => found.want(object) ?? [])
            await kernel.apply([...writes, ...found.rest()])
            changes += writes.length + found.rest().length + found.conflicts.length
          }
          return changes
        }
        await compare(objectsOf(intent, peers))
        t.is(await compare(objectsOf(intent, peers)), 0)
        await compare(objectsOf(intent, []))
        t.deepEqual([...kernel.objects.keys()].toSorted(), hostObjects(intent).map(keyOf).toSorted())
      })
    }
  }

  test(`${type}: a route leads to each reachable peer's subnet and nowhere else`, (t) => {
    const intent = intentOf(backend)
    const routes: readonly string[] = objectsOf({ ...intent, blackhole: false }, [
      peerOf(backend, 3, 122),
      peerOf(backend, 4, 123),
    ])
      // One for the whole network keeps packets to subnets without a peer from leaving readable.
      .filter((object) => object.kind === 'route' && object.destination !== prefix('10.2.0.0/16'))
      .map((route) => (route.kind === 'route' ? route.destination : ''))
    t.deepEqual(
      routes,
      ['alloc', 'extension'].includes(backend.type) ? [] : [prefix('10.2.3.0/24'), prefix('10.2.4.0/24')],
    )
  })
}
