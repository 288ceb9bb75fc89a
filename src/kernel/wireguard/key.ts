// Making WireGuard's keys, and the public ones of private ones.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { Secret } from '../../text/secret.ts'

/** What comes before the 32 bytes in PKCS #8 (RFC 8410, section 7). */
const BEFORE = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** The public key of a private one. */
export function publicKeyOf(privateKey: Secret): string {
  const der = Buffer.concat([BEFORE, Buffer.from(privateKey.reveal(), 'base64')])
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
}

/** A new private key. */
export function newPrivateKey(): Secret {
  const { d = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  return new Secret(Buffer.from(d, 'base64url').toString('base64'))
}
