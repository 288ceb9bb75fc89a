// This host's WireGuard key pair: the file of the private key, made at the first start, in the form that wg(8) and Go's flanneld use.
// Invariants: the file is readable by its owner alone; one that is there is never written; no error shows what is in it.
import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OperatorError, messageOf } from '../errors.ts'
import { makeFolder } from '../files/make-folder.ts'
import { newPrivateKey, publicKeyOf } from '../kernel/wireguard/key.ts'
import { Secret } from '../text/secret.ts'
import { isKey } from '../text/wireguard-key.ts'

/** The variable that names another file, as in Go. */
const VARIABLE = 'WIREGUARD_KEY_FILE'
const DEFAULT = '/run/flannel/wgkey'

/** The path of the file. */
export function wireguardKeyFile(env: NodeJS.ProcessEnv = process.env): string {
  const named = env[VARIABLE] ?? ''
  return named === '' ? DEFAULT : named
}

/** The public key of the pair in a file, which is made when it is not there. Rejects with OperatorError. */
export async function publicKeyIn(path: string): Promise<string> {
  const found = await readKey(path)
  if (found !== undefined) return publicKeyOf(found)
  const made = newPrivateKey()
  try {
    await makeFolder(dirname(path))
    const file = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o400,
    )
    try {
      await file.writeFile(made.reveal())
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    // Another process was first.
    const theirs = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await readKey(path) : undefined
    if (theirs !== undefined) return publicKeyOf(theirs)
    throw failure(path, `cannot be written: ${messageOf(error)}: make its folder writable, or name another file`)
  }
  return publicKeyOf(made)
}

/** Undefined when there is no file. */
async function readKey(path: string): Promise<Secret | undefined> {
  let text: string
  try {
    text = (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw failure(path, `cannot be read: ${messageOf(error)}: run as root, or name another file`)
  }
  if (isKey(text)) return new Secret(text)
  throw failure(
    path,
    'holds no key: it must be what wg genkey prints, 44 characters: remove it to have one made, or name another file',
  )
}

function failure(path: string, problem: string): OperatorError {
  return new OperatorError(`WireGuard key file: ${path}: ${problem} with ${VARIABLE}`)
}
