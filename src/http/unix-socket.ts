// A Unix socket by its path: never open to others, not even between its making and its mode, and nothing but a socket is ever
// removed from where it belongs.
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { OperatorError } from '../errors.ts'

/** Listens there, for the user and the group of this process (mode 0660), in place of a socket that is left there. */
export async function listenAt(server: Server, path: string): Promise<void> {
  if (!removeSocket(path)) throw new OperatorError('a file that is no socket is there: move it away')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve)
    // The file is there when listen returns. A folder that another thread makes meanwhile keeps what it needs.
    const umask = process.umask(0o007)
    try {
      server.listen(path)
    } finally {
      process.umask(umask)
    }
  })
  chmodSync(path, 0o660)
}

/** Removes a socket, if one is there; false when something else is, which stays. Throws the error of unlink(2). */
export function removeSocket(path: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there?.isSocket() === true) rmSync(path, { force: true })
  return there?.isSocket() !== false
}
