// Everybody else who reads what stands under subnets/: the claim, the verbs, doctor, the numbers. None of them throws, and
// what they print is as many lines as there are leases.
import test from 'ava'
import fc from 'fast-check'
import { vxlan } from '../../backends/vxlan/index.ts'
import { renderLeases } from '../../src/cli/verbs/leases.ts'
import { decodedLeases } from '../../src/doctor/leases.ts'
import { OperatorError } from '../../src/errors.ts'
import type { StoreEntry, Snapshot } from '../../src/etcd/store.ts'
import { Events } from '../../src/health/events.ts'
import { viewOf } from '../../src/view/leases.ts'
import { LeaseStats } from '../../src/lease/stats.ts'
import { decide, findLeases } from '../../src/lease/claim.ts'
import { mattersTo } from '../../src/lease/listing.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { planReservation } from '../../src/lease/reserve.ts'
import { createLog } from '../../src/log.ts'
import { PeerEvents } from '../../src/daemon/peer-events.ts'
import { ENP0S3, VXLAN_DEFAULTS, address, prefix } from '../fake/values.ts'
import { anyJson, anyText, inputs, nearly } from './inputs.ts'
import { NEITHER, only, onlySubnet } from '../../src/ip/by-family.ts'

const PREFIX = '/n'
const HOST_ID = 'c0ffee'.repeat(5)
const range = {
  network: prefix('10.2.0.0/16'),
  subnetLen: 24,
  subnetMin: address('10.2.1.0'),
  subnetMax: address('10.2.255.0'),
}
const claim = {
  hostId: HOST_ID,
  addresses: only(4, ENP0S3.publicAddress),
  ranges: { ipv4: range, ipv6: undefined },
  previous: NEITHER,
  value: () => ({
    addresses: only(4, ENP0S3.publicAddress),
    sourceAddresses: NEITHER,
    backendType: 'vxlan',
    backendData: NEITHER,
    hostId: HOST_ID,
  }),
}
const RULES = {
  family: 4 as const,
  network: range.network,
  subnetLen: 24,
  own: undefined,
  hostId: HOST_ID,
  onlink: [],
  publicAddress: ENP0S3.publicAddress,
  parseData: (_type: string, data: unknown) => vxlan.parsePeerData(data, VXLAN_DEFAULTS),
  needs: () => ({ ok: true, value: undefined }) as const,
  exclusive: (_type: string, data: unknown) => vxlan.exclusive(data as Parameters<typeof vxlan.exclusive>[0]),
}

/** Fields that get a lease past the first checks, plus anything at all. */
const value = fc.oneof(
  anyJson,
  anyText,
  fc
    .tuple(fc.constantFrom(HOST_ID, 'other', '\\u202e'), fc.constantFrom(19, 20), anyJson, anyJson)
    .map(
      ([hostId, host, type, data]) =>
        `{"PublicIP":"192.168.19.${host}","BackendType":${host === 19 ? '"vxlan"' : type},"BackendData":{"VNI":${data},"VtepMAC":${type}},"HostID":"${hostId}"}`,
    ),
)
const listing = fc
  .array(
    fc.record({
      name: fc.oneof(nearly('10.2.3.0-24', '10.2.3.0-24&fc00:3::-64', '10.2.4.0-24'), anyText),
      text: value,
      lease: fc.constantFrom('0', '7'),
    }),
    { maxLength: 8 },
  )
  .map((leases) =>
    leases.map(({ name, text, lease }, at): StoreEntry => ({
      key: `${PREFIX}/subnets/${name}`,
      value: Buffer.from(text),
      createRevision: String(at),
      modRevision: String(at),
      lease,
    })),
  )

test('leases: the claim, a reservation, doctor and the numbers read whatever is there', (t) => {
  fc.assert(
    fc.property(listing, (entries) => {
      const found = findLeases(PREFIX, entries, mattersTo(claim, undefined))
      decide(found, claim, undefined, new Map(), () => 0)
      t.false(found.some(({ bug }) => bug !== undefined))
      try {
        const wanted = { subnets: onlySubnet(prefix('10.2.3.0/24')), address: address('192.168.19.20') }
        planReservation(PREFIX, findLeases(PREFIX, entries), only(4, range), wanted)
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error
      }
      const leases = entries.map(({ key, value }) => ({ key, text: value.toString() }) as never)
      decodedLeases(PREFIX, { leases } as never)
      const table = new PeerTable(PREFIX, RULES)
      const snapshot: Snapshot = { revision: '9', entries }
      const step = table.snapshot(entries)
      t.false([...table.refused.values()].includes('bug'))
      const leaseStats = new LeaseStats()
      leaseStats.take(PREFIX, { type: 'snapshot', snapshot }, table, step)
      leaseStats.usage(PREFIX, range, prefix('10.2.1.0/24'))
      for (const { text } of leaseStats.unbelieved.values()) t.true(text.length < 300)
    }),
    inputs(60_000),
  )
  t.pass()
})

test('leases: a line of the log, an event, and a row of the table each, with nothing hidden in them', (t) => {
  const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
  fc.assert(
    fc.property(listing, (entries) => {
      const view = viewOf(PREFIX, { revision: '9', entries }, new Map(), prefix('10.2.1.0/24'))
      const rows = renderLeases(view).split('\n')
      t.is(rows.length, entries.length === 0 ? 2 : entries.length + 3)
      const lines: string[] = []
      const events = new Events()
      const table = new PeerTable(PREFIX, RULES)
      const log = createLog('peers', 0, (line) => lines.push(line))
      new PeerEvents(log, events).say(table.snapshot(entries), 'later')
      for (const line of lines) t.regex(line, /^[^\n]{1,600}\n$/)
      const texts = [...rows, ...lines.map((line) => line.slice(0, -1)), ...events.recent.map(({ text }) => text)]
      for (const text of texts) t.notRegex(text, hidden)
    }),
    inputs(40_000),
  )
})
