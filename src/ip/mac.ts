// Ethernet addresses as canonical text ("c6:d2:32:6f:8f:44"): lower case, so that === is equality.
import { createHash } from 'node:crypto'

declare const brand: unique symbol

/** A checked 48-bit MAC address in canonical text. */
export type Mac = string & { readonly [brand]: 'Mac' }

/** The MAC `text` names in colon form, or undefined. */
export function parseMac(text: string): Mac | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? (text.toLowerCase() as Mac) : undefined
}

/** Whether a MAC may belong to one station: not zero, not a group address (IEEE 802: lowest bit of the first byte). */
export function isStation(mac: Mac): boolean {
  return mac !== '00:00:00:00:00:00' && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0
}

/** The six bytes of a MAC. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16))
}

/** The MAC of six bytes. */
export function macFromBytes(bytes: Uint8Array): Mac {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac
}

/** A stable, locally administered station address made from `seed`: the same seed gives the same MAC. */
export function macFromSeed(seed: string): Mac {
  const bytes = createHash('sha256').update(seed).digest().subarray(0, 6)
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02
  return macFromBytes(bytes)
}
