// Files that others read while we write them.
// Invariant: a reader finds the complete old file or the complete new one; an unchanged file is not touched; what others
// wrote in the meantime is not lost; and no other file is ever written into, whatever others put next to it.
import { randomUUID } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OperatorError, messageOf } from '../errors.ts'
import { makeFolder } from './make-folder.ts'

/** A file and how messages name it. */
export interface WholeFile {
  readonly path: string
  /** What it is, for messages: "subnet file". */
  readonly what: string
  /** The flag that names another. */
  readonly flag: string
}

/** Its text; undefined when there is none. Throws OperatorError when it cannot be read. */
export async function readWhole(file: WholeFile): Promise<string | undefined> {
  return (await readAsIs(file))?.bytes.toString('utf8')
}

/** Writes this text, mode 0644, and makes the folder. Returns whether the text differed. Throws OperatorError. */
export function writeWhole(file: WholeFile, text: string): Promise<boolean> {
  const after = Buffer.from(text)
  return updateWhole(file, (before) => (before?.equals(after) === true ? undefined : after))
}

/** How often a file is read again because another program wrote it meanwhile. */
const ATTEMPTS = 10

/**
 * Writes what `change` returns for the current text (undefined when there is no file), mode 0644, and makes the folder. A result
 * of undefined leaves the file unchanged. Returns whether it wrote. A write of others meanwhile is read again, not lost. Throws
 * OperatorError.
 */
export async function updateWhole(
  file: WholeFile,
  change: (before: Buffer | undefined) => Buffer | undefined,
): Promise<boolean> {
  for (let left = ATTEMPTS; ; left--) {
    const before = await readAsIs(file)
    const after = change(before?.bytes)
    if (after === undefined) return false
    try {
      await makeFolder(dirname(file.path))
      const unchanged = async (): Promise<boolean> => left <= 1 || (await stampOf(file.path)) === before?.stamp
      if (await replace(file.path, after, 0o644, unchanged)) return true
    } catch (error) {
      throw failure(file, 'cannot be written', error)
    }
  }
}

/** A file's bytes, and what changes with each write of it; undefined when there is none. */
async function readAsIs(file: WholeFile): Promise<{ readonly bytes: Buffer; readonly stamp: string } | undefined> {
  try {
    const handle = await open(file.path)
    try {
      // The stamp first: what is written after it is seen as a change.
      const stamp = stampIn(await handle.stat({ bigint: true }))
      return { bytes: await handle.readFile(), stamp }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw failure(file, 'cannot be read', error)
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    return stampIn(await stat(path, { bigint: true }))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function stampIn({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

/** Replaces the old file by a complete new one by rename(2), if `still` holds once it is written. Returns whether it did. */
async function replace(
  path: string,
  bytes: Buffer,
  mode: number,
  still = (): Promise<boolean> => Promise.resolve(true),
): Promise<boolean> {
  const { file, name } = await temporaryBeside(path, mode)
  try {
    try {
      // The umask changed the mode given to open.
      await file.chmod(mode)
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    const done = await still()
    await (done ? rename(name, path) : unlink(name))
    return done
  } catch (error) {
    await unlink(name).catch(() => undefined)
    throw error
  }
}

let writes = 0

/**
 * A new file in the same folder, or rename would cross file systems. One left by a daemon that was killed here is removed: in a
 * container every daemon has the same process id. The folder may be one that others write to as well: what they put under
 * that name is never written into, and where it cannot be removed another name is taken.
 */
async function temporaryBeside(
  path: string,
  mode: number,
): Promise<{ readonly file: FileHandle; readonly name: string }> {
  const stem = join(dirname(path), `.${basename(path)}`)
  const name = `${stem}.${process.pid}.${writes++}`
  await unlink(name).catch(() => undefined)
  try {
    return { file: await open(name, CREATE, mode), name }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  const other = `${stem}.${randomUUID()}`
  return { file: await open(other, CREATE, mode), name: other }
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * Writes a file that only its owner can read, in place of one of ours. In a folder that others write to, what is there may be
 * theirs: another user's file or a link is EEXIST. Rejects with the error of the system.
 */
export async function writePrivate(path: string, bytes: Buffer): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  const isOurs = there?.isFile() === true && there.uid === process.geteuid?.()
  if (there !== undefined && !isOurs) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
  await replace(path, bytes, 0o600)
}

/** What to do about each errno(3), before "with FLAG". */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'permission denied: run as root, or name another file',
  EPERM: 'permission denied: run as root, or name another file',
  EROFS: 'the file system is read-only: name another file',
  ENOSPC: 'no space left on the file system: free some, or name another file',
  EDQUOT: 'disk quota exceeded: free some space, or name another file',
  EISDIR: 'it is a directory: name a file',
  ENOTDIR: 'a part of its path is not a directory: name another file',
  EEXIST: 'a part of its path is not a directory: name another file',
}

function failure({ path, what, flag }: WholeFile, problem: string, error: unknown): OperatorError {
  const code = codeOf(error)
  const advice = code === undefined ? undefined : ADVICE[code]
  const why = advice === undefined ? messageOf(error) : `${code} (${advice} with ${flag})`
  return new OperatorError(`${what} ${problem}: ${path}: ${why}`)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
