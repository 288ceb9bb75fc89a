import test from 'ava'
import fc from 'fast-check'
import { isStation, macFromBytes, macFromSeed, macToBytes, parseMac } from '../../src/ip/mac.ts'

const bytes = fc.uint8Array({ minLength: 6, maxLength: 6 })

test('bytes and text of a MAC are one another, in any case', (t) => {
  fc.assert(
    fc.property(bytes, (six) => {
      const mac = macFromBytes(six)
      t.deepEqual(macToBytes(mac), six)
      t.is(parseMac(mac), mac)
      t.is(parseMac(mac.toUpperCase()), mac)
    }),
  )
})

test('other texts are no MAC', (t) => {
  const bad = [
    '',
    'c6:d2:32:6f:8f',
    'c6:d2:32:6f:8f:44:00',
    'c6-d2-32-6f-8f-44',
    'c6:d2:32:6f:8f:4g',
    'c6d2326f8f44',
    '6:d2:32:6f:8f:44',
  ]
  for (const text of [...bad, 'c6:d2:32:6f:8f:44\n', ' c6:d2:32:6f:8f:44']) t.is(parseMac(text), undefined, text)
})

test('zero and group addresses are no stations', (t) => {
  fc.assert(
    fc.property(bytes, (six) => {
      const group = ((six[0] ?? 0) & 1) === 1
      t.is(isStation(macFromBytes(six)), !group && six.some((byte) => byte !== 0))
    }),
  )
  for (const text of ['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01']) {
    t.false(isStation(macFromBytes(Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16)))), text)
  }
})

test('a seed gives one locally administered station address, always the same', (t) => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const mac = macFromSeed(seed)
      t.is(macFromSeed(seed), mac)
      t.true(isStation(mac))
      t.is((macToBytes(mac)[0] ?? 0) & 2, 2)
    }),
  )
  t.not(macFromSeed('a 1'), macFromSeed('a 2'))
  // Written down: an upgrade that changed it would change the MAC of every device it recreates.
  t.is(macFromSeed('host 1'), '5e:04:cd:e4:a1:2c' as never)
})
