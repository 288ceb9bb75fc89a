// Arbitrary bytes from a netlink socket: every reader terminates, inside the
// bytes it was given.
import test from 'ava'
import fc from 'fast-check'
import { addAddress, readAddress } from '../../src/netlink/address.ts'
import { Message } from '../../src/netlink/attribute.ts'
import { createVxlan, readLink } from '../../src/netlink/link.ts'
import { type Encode, HEADER, MessageWriter } from '../../src/netlink/message.ts'
import { readNeighbor, writeFdb, writeNeighbor } from '../../src/netlink/neighbor.ts'
import { readNexthop, writeNexthop } from '../../src/netlink/nexthop.ts'
import { readRoute, writeRoute } from '../../src/netlink/route.ts'
import { ip, mac, prefix } from '../golden/objects.ts'
import { inputs } from './inputs.ts'

const READERS = [readLink, readAddress, readNeighbor, readNexthop, readRoute]

/** Walks over the messages in `bytes`, which stand in a larger buffer full of 0xff, and reads each in every way. */
function walk(bytes: Uint8Array): number {
  const buffer = new Uint8Array(bytes.length + 4096).fill(0xff)
  buffer.set(bytes)
  const message = new Message(buffer)
  let count = 0
  for (let at = message.read(0, bytes.length); at > 0; at = message.read(at, bytes.length)) {
    count++
    if (message.length > bytes.length) throw new Error('longer than what was received')
    for (const read of READERS) read(message)
    for (let type = 0; type < 64; type += 7) {
      const attributes = message.parse(0)
      const text = attributes.text(type)
      if (text.length > message.length) throw new Error('read beyond the message')
      attributes.nested(type, message.nested)
      message.nested.address(1)
    }
    if (count > bytes.length / HEADER + 1) throw new Error('more messages than fit')
  }
  return count
}

test('bytes at random', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => walk(bytes) >= 0),
    inputs(60_000),
  )
  t.pass()
})

test('bytes at random behind a header that is right', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 4 }), (payloads) => {
      const size = payloads.reduce((sum, payload) => sum + HEADER + ((payload.length + 3) & ~3), 0)
      const bytes = new Uint8Array(size)
      const view = new DataView(bytes.buffer)
      let at = 0
      for (const payload of payloads) {
        view.setUint32(at, HEADER + payload.length, true)
        bytes.set(payload, at + HEADER)
        at += HEADER + ((payload.length + 3) & ~3)
      }
      t.is(walk(bytes), payloads.length)
    }),
    inputs(60_000),
  )
})

const settings = { mtu: 1450, mac: mac('0a:00:00:00:00:01'), local: ip('192.168.19.121'), learning: false, underlay: 2 }
const REAL: readonly Encode[] = [
  createVxlan('flannel.1', { vni: 1, port: 8472, gbp: true }, settings),
  addAddress(3, ip('10.2.1.0'), 32),
  writeNeighbor('add', 3, ip('10.2.2.0'), mac('0a:00:00:00:00:02')),
  writeFdb('replace', 3, mac('0a:00:00:00:00:02'), ip('192.168.19.122')),
  writeNexthop('add', { id: 7, gateway: ip('10.2.2.0'), index: 3, protocol: 142 }),
  writeRoute('add', {
    destination: prefix('10.2.2.0/24'),
    metric: 0,
    protocol: 142,
    hop: { type: 'gateway', gateway: ip('10.2.2.0'), index: 3, onlink: true },
  }),
]

test('real messages with bytes changed and ends cut off', (t) => {
  const writer = new MessageWriter()
  for (const [i, encode] of REAL.entries()) writer.message(encode, i + 1, 0)
  const whole = writer.buffer.slice(0, writer.length)
  t.is(walk(whole), REAL.length)
  const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.nat(whole.length), (changes, cut) => {
      const bytes = whole.slice(0, whole.length - (cut % 3 === 0 ? cut : 0))
      for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
      return walk(bytes) >= 0
    }),
    inputs(60_000),
  )
})
