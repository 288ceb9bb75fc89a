// Messages and attributes: what the writer writes the reader reads, and nothing the reader is given makes it stumble.
import test from 'ava'
import fc from 'fast-check'
import { type Address, fromBytes, fromNumber } from '../../src/ip/address.ts'
import { macFromBytes } from '../../src/ip/mac.ts'
import { readAddress } from '../../src/netlink/address.ts'
import { Message } from '../../src/netlink/attribute.ts'
import { RTM_NEWROUTE } from '../../src/netlink/constants.ts'
import { createVxlan, readLink } from '../../src/netlink/link.ts'
import { type Encode, HEADER, MessageWriter } from '../../src/netlink/message.ts'
import { readNeighbor, writeFdb, writeNeighbor } from '../../src/netlink/neighbor.ts'
import { readNexthop, writeNexthop } from '../../src/netlink/nexthop.ts'
import { type RouteHop, readRoute, writeRoute } from '../../src/netlink/route.ts'
import { prefixOf } from '../../src/ip/prefix.ts'

const addresses: fc.Arbitrary<Address> = fc.oneof(
  fc.nat(0xffffffff).map((number) => fromNumber(number >>> 0)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(fromBytes),
)
const macs = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes)
const u32 = fc.integer({ min: 1, max: 0xffffffff })
const index = fc.integer({ min: 1, max: 0x7fffffff })

/** A message as the kernel would see it. */
function sent(encode: Encode): Message {
  const writer = new MessageWriter()
  writer.message(encode, 1, 0)
  const message = new Message(writer.buffer.slice(0, writer.length))
  if (message.read(0, writer.length) !== writer.length) throw new Error('not one message')
  return message
}

test('a message starts with length, type, flags with REQUEST, sequence and no port', (t) => {
  const writer = new MessageWriter()
  writer.message(
    (message) => {
      message.header(RTM_NEWROUTE, 0x400, 12)
    },
    0xfffffffe,
    0x4,
  )
  t.is(
    Buffer.from(writer.buffer.slice(0, writer.length)).toString('hex'),
    '1c00000018000504feffffff00000000' + '00'.repeat(12),
  )
})

test('attributes are padded to four, with the padding zero, also where an older message was', (t) => {
  const writer = new MessageWriter()
  const encode = (fill: number) => (message: MessageWriter) => {
    message.header(1, 0, 0)
    message.u8(1, fill)
    message.be16(2, fill * 257)
    message.flag(3)
    message.text(4, 'abc')
  }
  writer.message(encode(255), 1, 0)
  writer.clear()
  writer.message(encode(1), 1, 0)
  const attributes = Buffer.from(writer.buffer.slice(HEADER, writer.length)).toString('hex')
  t.is(attributes, '0500010001000000' + '0600020001010000' + '04000300' + '0800040061626300')
})

test('the buffer grows with the messages in it, keeping them', (t) => {
  const writer = new MessageWriter()
  for (let n = 0; n < 5000; n++) {
    const write: Parameters<typeof writer.message>[0] = (message) => {
      message.header(7, 0, 4)
      message.u32(1, n)
    }
    writer.message(write, n, 0)
  }
  const message = new Message(writer.buffer)
  let at = 0
  for (let n = 0; n < 5000; n++) {
    at = message.read(at, writer.length)
    if (message.sequence !== n || message.parse(4).number(1) !== n) t.fail(`message ${n}`)
  }
  t.is(at, writer.length)
})

test('neighbours, forwarding entries and nexthops of both families are read as written', (t) => {
  fc.assert(
    fc.property(index, addresses, macs, u32, fc.nat(255), (at, address, mac, id, protocol) => {
      t.deepEqual(readNeighbor(sent(writeNeighbor('add', at, address, mac))), {
        fdb: false,
        index: at,
        address,
        mac,
        permanent: true,
      })
      t.deepEqual(readNeighbor(sent(writeFdb('add', at, mac, address))), {
        fdb: true,
        index: at,
        address,
        mac,
        permanent: true,
      })
      const nexthop = { id, gateway: address, index: at, protocol }
      t.deepEqual(readNexthop(sent(writeNexthop('replace', nexthop))), { ...nexthop, onlink: true })
    }),
  )
})

test('routes of both families are read as written', (t) => {
  const hops: fc.Arbitrary<RouteHop> = fc.oneof(
    fc.record({ type: fc.constant('nexthop' as const), id: u32 }),
    fc.record({ type: fc.constant('device' as const), index }),
    fc.constant({ type: 'blackhole' as const }),
  )
  const routes = fc.record({
    address: addresses,
    bits: fc.nat(128),
    metric: u32,
    protocol: fc.nat(255),
    hop: hops,
    onlink: fc.boolean(),
    at: index,
  })
  fc.assert(
    fc.property(routes, ({ address, bits, metric, protocol, hop, onlink, at }) => {
      const destination = prefixOf(address, address.includes(':') ? bits : bits % 33)
      for (const target of [hop, { type: 'gateway' as const, gateway: address, index: at, onlink }]) {
        const { scope, ...found } = readRoute(
          sent(writeRoute('add', { destination, metric, protocol, hop: target })),
        ) ?? { scope: -1 }
        t.deepEqual(found, { destination, metric, protocol, hop: target })
        t.is(scope, target.type === 'device' && !address.includes(':') ? 253 : 0)
      }
    }),
  )
})

test('vxlan devices are read as written', (t) => {
  const devices = fc.record({
    vni: u32,
    port: fc.nat(65535),
    local: addresses,
    mac: macs,
    learning: fc.boolean(),
    gbp: fc.boolean(),
    underlay: index,
    mtu: fc.nat(65535),
  })
  fc.assert(
    fc.property(devices, ({ vni, port, local, mac, learning, gbp, underlay, mtu }) => {
      const found = readLink(
        sent(createVxlan('flannel.1', { vni, port, gbp }, { mtu, mac, local, learning, underlay })),
      )
      t.deepEqual(found.vxlan, { vni, port, local, underlay, learning, gbp, external: false })
      t.like(found, { name: 'flannel.1', mtu, mac, type: 'vxlan' })
    }),
  )
})

test('garbage, cut and lying messages are read without a throw', (t) => {
  const readers = [readLink, readAddress, readNeighbor, readNexthop, readRoute]
  const good = [
    createVxlan('flannel.1', { vni: 1, port: 8472, gbp: true }, { mtu: 1450, local: fromNumber(1), learning: true }),
    writeNeighbor('add', 1, fromNumber(1), macFromBytes(new Uint8Array(6))),
    writeRoute('add', {
      destination: prefixOf(fromNumber(0), 8),
      metric: 1,
      protocol: 1,
      hop: { type: 'nexthop', id: 1 },
    }),
  ]
  const writer = new MessageWriter()
  for (const encode of good) writer.message(encode, 1, 0)
  const valid = writer.buffer.slice(0, writer.length)
  const damaged = fc
    .tuple(fc.nat(valid.length), fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 8 }))
    .map(([length, pokes]) => {
      const bytes = valid.slice(0, length)
      for (const [at, value] of pokes) if (at < length) bytes[at] = value
      return bytes
    })
  const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
    const message = new Message(bytes)
    let at = message.read(0, bytes.length)
    for (let count = 0; at > 0; at = message.read(at, bytes.length), count++) {
      for (const read of readers) read(message)
      if (count > bytes.length) t.fail('does not end')
    }
  })
  fc.assert(property, { numRuns: 3000 })
  t.pass()
})
