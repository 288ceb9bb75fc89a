// Echo packets of IPv6: written and read back as a raw socket gives them, without the IP header; refusals; the kernel's filter.
import test from 'ava'
import fc from 'fast-check'
import type { Address } from '../../src/ip/address.ts'
import type { EchoRequest } from '../../src/probe/echo.ts'
import { echoFilter } from '../../src/probe/filter.ts'
import { SMALLEST, readMessage, writeRequest } from '../../src/probe/icmp.ts'
import { echoRequests, runFilter } from '../fake/echo-packets.ts'

const request = echoRequests(6)
const ROUTER = 'fd19::1' as Address

const SAMPLE: EchoRequest = {
  source: 'fd00:10:2:1::' as Address,
  destination: 'fd00:10:2:2::' as Address,
  id: 0x1234,
  sequence: 7,
  length: 100,
  df: true,
  mark: { token: 1, subnet: 'fd00:10:2:1::' as Address, silent: true, trial: false, heard: 2.5 },
}

/** What a raw socket gives of a packet that arrives. */
const received = (packet: Buffer): Buffer => packet.subarray(40)

/** The request as its answer, as a raw socket gives it. */
function replyTo(packet: Buffer): Buffer {
  const reply = Buffer.from(received(packet))
  reply.writeUInt8(129, 0)
  return reply
}

/** A router's refusal, as a raw socket gives it. */
function refusalOf(packet: Buffer, type: number, code: number, mtu = 0): Buffer {
  const refusal = Buffer.alloc(8 + Math.min(packet.length, 1232))
  refusal.set([type, code], 0)
  refusal.writeUInt32BE(mtu, 4)
  packet.copy(refusal, 8)
  return refusal
}

test('a request of IPv6 reads back as it was written, and so does its answer', (t) => {
  fc.assert(
    fc.property(request, (it) => {
      const packet = writeRequest(it)
      t.is(packet.length, it.length)
      t.is(packet.readUInt16BE(4), it.length - 40)
      const { source, destination, id, sequence, mark } = it
      t.deepEqual(readMessage(received(packet), source), { kind: 'request', source, id, sequence, mark })
      t.deepEqual(readMessage(replyTo(packet), destination), { kind: 'reply', source: destination, id, sequence, mark })
    }),
  )
})

test('the checksum of IPv6 includes addresses, length and protocol (RFC 8200, section 8.1)', (t) => {
  fc.assert(
    fc.property(request, (it) => {
      const packet = writeRequest(it)
      const rest = Buffer.alloc(8)
      rest.writeUInt32BE(packet.length - 40, 0)
      rest.writeUInt32BE(58, 4)
      const all = Buffer.concat([packet.subarray(8, 40), rest, packet.subarray(40), Buffer.alloc(packet.length % 2)])
      let sum = 0
      for (let at = 0; at < all.length; at += 2) sum += all.readUInt16BE(at)
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
      t.is(sum, 0xffff)
    }),
  )
})

test('a refusal of IPv6 names its request, the reason, and the size that fits', (t) => {
  const packet = writeRequest(SAMPLE)
  const read = (type: number, code: number, mtu = 0): unknown => readMessage(refusalOf(packet, type, code, mtu), ROUTER)
  const about = { kind: 'refused', source: ROUTER, destination: SAMPLE.destination, id: 0x1234, sequence: 7 }
  t.deepEqual(read(2, 0, 1400), { ...about, why: 'too-big', mtu: 1400 })
  for (const code of [0, 2, 3, 6]) t.deepEqual(read(1, code), { ...about, why: 'unreachable', mtu: 0 })
  for (const code of [1, 5]) t.deepEqual(read(1, code), { ...about, why: 'prohibited', mtu: 0 })
  t.is(read(1, 4), undefined, 'a port is nothing an echo has')
  t.is(read(3, 0), undefined, 'a circle of routers is another message')
})

test('any bytes at all are read as IPv6 without throwing, and neighbour discovery is nothing', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(1, 2, 128, 129, 133, 134, 135, 136),
      (bytes, type) => {
        const packet = Buffer.from(bytes)
        if (packet.length > 0) packet.writeUInt8(type, 0)
        const read = readMessage(packet, ROUTER)
        if (type > 129) t.is(read, undefined)
        else t.pass()
      },
    ),
  )
})

test("a subnet of the other family has no place in a packet's mark", (t) => {
  const packet = writeRequest({ ...SAMPLE, mark: { ...SAMPLE.mark, subnet: '10.2.1.0' as Address } })
  t.like(readMessage(received(packet), SAMPLE.source), { mark: { ...SAMPLE.mark, subnet: undefined } })
  const four = { ...SAMPLE, source: '10.2.1.0' as Address, destination: '10.2.2.0' as Address, length: SMALLEST[4] }
  t.like(readMessage(writeRequest(four), four.source), { mark: { token: 1, subnet: undefined } })
})

test('the filter for IPv6 lets in what is ours: marked requests, answers to our id and refusals of it; and nothing else', (t) => {
  const filter = echoFilter(6, 0x1234)
  const lets = (packet: Buffer): boolean => runFilter(filter, packet) !== 0
  const [ours, foreign] = [writeRequest(SAMPLE), writeRequest({ ...SAMPLE, id: 99 })]
  t.deepEqual([ours, foreign].map(received).map(lets), [true, true], 'requests of anyone')
  t.deepEqual([replyTo(ours), replyTo(foreign)].map(lets), [true, false])
  for (const type of [1, 2]) {
    t.deepEqual([refusalOf(ours, type, 0), refusalOf(foreign, type, 0)].map(lets), [true, false])
  }
  const plain = Buffer.from(received(ours))
  plain.fill(0x55, 8)
  t.false(lets(plain), "ping's own requests")
  t.false(lets(received(ours).subarray(0, 10)), 'what is too short for a mark')
  for (const type of [3, 130, 133, 134, 135, 136, 143]) {
    const other = Buffer.from(received(ours))
    other.writeUInt8(type, 0)
    t.false(lets(other), `type ${type}`)
  }
})
