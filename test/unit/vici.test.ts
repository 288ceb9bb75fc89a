// VICI: what is written reads back equal, and whatever a stream holds, reading it ends with packets or with a refusal.
import test from 'ava'
import fc from 'fast-check'
import { createServer } from 'node:net'
import { ViciClient, ViciError } from '../../src/helpers/vici/client.ts'
import {
  type ViciMessage,
  type ViciSection,
  type ViciValue,
  decodeMessage,
  encodeMessage,
  viciText,
} from '../../src/helpers/vici/message.ts'
import { EVENT, PacketReader, REQUEST, encodePacket } from '../../src/helpers/vici/packet.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'

const name = fc.string({ maxLength: 40 }).filter((text) => text !== '__proto__' && !/^\d+$/.test(text))
const { message } = fc.letrec<{ message: ViciMessage; value: ViciValue }>((tie) => ({
  message: fc.dictionary(name, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.string(),
    fc.array(fc.string(), { maxLength: 5 }),
    tie('message'),
  ),
}))

function plain(section: ViciSection): ViciMessage {
  const entries = [...section].map(([key, value]) => [key, value instanceof Map ? plain(value as ViciSection) : value])
  return Object.fromEntries(entries) as ViciMessage
}

test('a message reads back as it was written', (t) => {
  fc.assert(
    fc.property(message, (one) => {
      const read = decodeMessage(encodeMessage(one))
      t.deepEqual(read && plain(read), one)
    }),
  )
})

test('packets are found in a stream cut anywhere', (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat(200), { maxLength: 20 }), (messages, cuts) => {
      const stream = Buffer.concat(messages.map((one) => encodePacket(EVENT, 'ike-updown', one)))
      const reader = new PacketReader()
      const found: ViciMessage[] = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const next = at + 1 + (cuts[i % Math.max(cuts.length, 1)] ?? 50)
        for (const packet of reader.take(stream.subarray(at, next))) found.push(plain(packet.message))
        at = next
      }
      t.false(reader.broken)
      t.deepEqual(found, messages)
    }),
  )
})

test('any bytes are packets or none, and nothing is kept after those that are none', (t) => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(message, fc.nat(), fc.nat(255)).map(([one, at, value]) => {
      const bytes = encodePacket(REQUEST, 'load-conn', one)
      bytes[at % bytes.length] = value
      return bytes
    }),
  )
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 6 }), (chunks) => {
      const reader = new PacketReader()
      for (const chunk of chunks) {
        const wasBroken = reader.broken
        t.true(!wasBroken || reader.take(chunk).length === 0)
        if (!wasBroken) reader.take(chunk)
      }
    }),
  )
})

test('sections in sections without end are no message', (t) => {
  const deep = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from([1, 1, 97])))
  t.is(decodeMessage(deep), undefined)
  t.is(decodeMessage(Buffer.concat([deep, Buffer.alloc(1000, 2)])), undefined)
})

test('a length beyond charon’s limit is refused before anything is waited for', (t) => {
  const reader = new PacketReader()
  t.deepEqual(reader.take(Buffer.from([0xff, 0xff, 0xff, 0xff])), [])
  t.true(reader.broken)
})

test('what is too long is refused, without being shown', (t) => {
  const error = t.throws(() => encodePacket(REQUEST, 'load-shared', { data: 'secret'.repeat(20_000) }))
  t.false(String(error).includes('secret'))
})

/** A charon that answers each packet with these bytes. */
async function answering(t: Parameters<typeof tempFolder>[0], answers: readonly Buffer[]): Promise<ViciClient> {
  const path = `${tempFolder(t, 'vici')}/socket`
  const left = [...answers]
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => {
      const next = left.shift()
      if (next === undefined) socket.destroy()
      else socket.write(next)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const client = await ViciClient.open(path)
  t.teardown(() => {
    client.close()
    server.close()
    return Promise.resolve()
  })
  return client
}

/** The bytes of an answer: a packet without a name. */
function answer(type: number, one: ViciMessage = {}): Buffer {
  const body = encodeMessage(one)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, body])
}

test('an answer is the message; a refusal is an error with charon’s words', async (t) => {
  const client = await answering(t, [
    answer(1, { daemon: 'charon' }),
    answer(1, { success: 'no', errmsg: 'unload: connection not found' }),
    answer(2),
  ])
  t.is(viciText(await client.request('version'), 'daemon'), 'charon')
  await t.throwsAsync(client.request('unload-conn', { name: 'x' }), {
    instanceOf: ViciError,
    message: 'charon: unload-conn: unload: connection not found',
  })
  await t.throwsAsync(client.request('dance'), { message: 'charon: dance: not known to this version' })
})

test('events come between answers and are gathered', async (t) => {
  const events = Buffer.concat([encodePacket(EVENT, 'list-sa', { a: '1' }), encodePacket(EVENT, 'list-sa', { a: '2' })])
  const client = await answering(t, [answer(5), Buffer.concat([events, answer(1)]), answer(5)])
  t.deepEqual(
    (await client.list('list-sas', 'list-sa')).map((one) => viciText(one, 'a')),
    ['1', '2'],
  )
})

test('garbage and a closed connection end all requests', async (t) => {
  const garbage = await answering(t, [Buffer.from('HTTP/1.1 400 Bad Request')])
  await t.throwsAsync(garbage.request('version'), { message: 'charon: it sent something that is no message' })
  await garbage.closed
  const gone = await answering(t, [])
  await t.throwsAsync(gone.request('version'), { message: 'charon: the connection was closed' })
  await t.throwsAsync(gone.request('version'), { message: 'charon: the connection was closed' })
})
