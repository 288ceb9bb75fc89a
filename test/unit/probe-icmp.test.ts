// Echo packets: written and read back, and whatever else may come in; the kernel's filter agrees with the reader.
import test from 'ava'
import fc from 'fast-check'
import type { Address } from '../../src/ip/address.ts'
import { echoFilter } from '../../src/probe/filter.ts'
import { readMessage as readFrom, writeRequest } from '../../src/probe/icmp.ts'
import { echoRequests, runFilter } from '../fake/echo-packets.ts'

const request = echoRequests(4)
/** The sender is in the packet. */
const readMessage = (packet: Buffer): ReturnType<typeof readFrom> => readFrom(packet, '0.0.0.0' as Address)

const SAMPLE = {
  source: '10.2.1.0' as Address,
  destination: '10.2.2.0' as Address,
  id: 0x1234,
  sequence: 7,
  length: 100,
  df: true,
  mark: { token: 1, subnet: '10.2.1.0' as Address, silent: false, trial: false, heard: 2.5 },
}

/** The request as its answer. */
function replyTo(packet: Buffer): Buffer {
  const reply = Buffer.from(packet)
  packet.copy(reply, 12, 16, 20)
  packet.copy(reply, 16, 12, 16)
  reply.writeUInt8(0, 20)
  // The type went from 8 to 0: the checksum by the difference (RFC 1624).
  const sum = packet.readUInt16BE(22) + 0x0800
  reply.writeUInt16BE((sum & 0xffff) + (sum >>> 16), 22)
  return reply
}

/** A router's refusal of a packet. */
function refusalOf(packet: Buffer, code: number, mtu = 0): Buffer {
  const refusal = Buffer.alloc(20 + 8 + 28)
  refusal.writeUInt8(0x45, 0)
  refusal.writeUInt16BE(refusal.length, 2)
  refusal.writeUInt8(1, 9)
  refusal.set([192, 168, 19, 1], 12)
  refusal.set([3, code], 20)
  refusal.writeUInt16BE(mtu, 26)
  packet.copy(refusal, 28, 0, 28)
  let sum = 0
  for (let at = 20; at < refusal.length; at += 2) sum += refusal.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  refusal.writeUInt16BE(~sum & 0xffff, 22)
  return refusal
}

test('a request reads back as it was written, and so does its answer', (t) => {
  fc.assert(
    fc.property(request, (it) => {
      const packet = writeRequest(it)
      t.is(packet.length, it.length)
      t.is((packet.readUInt16BE(6) & 0x4000) !== 0, it.df)
      const { source, id, sequence, mark } = it
      t.deepEqual(readMessage(packet), { kind: 'request', source, id, sequence, mark })
      t.deepEqual(readMessage(replyTo(packet)), { kind: 'reply', source: it.destination, id, sequence, mark })
    }),
  )
})

test('a refusal names its request, the reason, and the size that fits', (t) => {
  const packet = writeRequest(SAMPLE)
  const about = { kind: 'refused', source: '192.168.19.1', destination: '10.2.2.0', id: 0x1234, sequence: 7 }
  t.deepEqual(readMessage(refusalOf(packet, 4, 1400)), { ...about, why: 'too-big', mtu: 1400 } as never)
  t.deepEqual(readMessage(refusalOf(packet, 1)), { ...about, why: 'unreachable', mtu: 0 } as never)
  t.deepEqual(readMessage(refusalOf(packet, 13)), { ...about, why: 'prohibited', mtu: 0 } as never)
  t.is(readMessage(refusalOf(packet, 3)), undefined, 'a port is nothing an echo has')
})

test('a packet with a flipped bit is dropped', (t) => {
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(7), (it, at, bit) => {
      const packet = writeRequest(it)
      const place = 20 + (at % (packet.length - 20))
      packet.writeUInt8(packet.readUInt8(place) ^ (1 << bit), place)
      t.is(readMessage(packet), undefined)
    }),
  )
})

test('any bytes at all are read without throwing', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, header) => {
      const packet = Buffer.from(bytes)
      if (header && packet.length >= 20) {
        packet.writeUInt8(0x45, 0)
        packet.writeUInt8(1, 9)
        packet.writeUInt16BE(packet.length, 2)
      }
      readMessage(packet)
      t.pass()
    }),
  )
})

test('the filter lets in what is ours: marked requests, answers to our id and refusals of it; and nothing else', (t) => {
  const filter = echoFilter(4, 0x1234)
  const lets = (packet: Buffer): boolean => runFilter(filter, packet) !== 0
  const [ours, foreign] = [writeRequest(SAMPLE), writeRequest({ ...SAMPLE, id: 99 })]
  t.deepEqual([ours, foreign].map(lets), [true, true], 'requests of anyone')
  t.deepEqual([replyTo(ours), replyTo(foreign)].map(lets), [true, false])
  t.deepEqual([refusalOf(ours, 4), refusalOf(foreign, 4)].map(lets), [true, false])
  const plain = Buffer.from(ours)
  plain.fill(0x55, 28)
  t.false(lets(plain), "ping's own requests")
  t.false(lets(ours.subarray(0, 30)), 'what is too short for a mark')
  fc.assert(
    fc.property(request, (it) => {
      t.true(lets(writeRequest(it)))
      t.is(lets(replyTo(writeRequest(it))), it.id === 0x1234)
    }),
  )
})
