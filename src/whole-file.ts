// Files that others read while we write them.
// Invariant: a reader finds the old file or the new one, whole, never a part; an unchanged file is not touched.
import { open, readFile, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OperatorError, messageOf } from './errors.ts'
import { makeFolder } from './folder.ts'

/** A file and how to speak of it. */
export interface WholeFile {
  readonly path: string
  /** What it is, for messages: "subnet file". */
  readonly what: string
  /** The flag that names another. */
  readonly flag: string
}

/** Its text; undefined when there is none. Throws OperatorError when it cannot be read. */
export async function readWhole(file: WholeFile): Promise<string | undefined> {
  try {
    return await readFile(file.path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw failure(file, 'cannot be read', error)
  }
}

/** Makes it have this text, mode 0644, with its folder; whether it had another. Throws OperatorError. */
export async function writeWhole(file: WholeFile, text: string): Promise<boolean> {
  if ((await readWhole(file)) === text) return false
  try {
    await makeFolder(dirname(file.path))
    await replace(file.path, text)
  } catch (error) {
    throw failure(file, 'cannot be written', error)
  }
  return true
}

let writes = 0

/** Puts a whole new file in place of the old by rename(2). */
async function replace(path: string, text: string): Promise<void> {
  // In the same folder, or rename would cross file systems; a name of its own, or two writers would share it. One left by
  // a daemon that was killed here is overwritten: in a container every daemon has the same process id.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${writes++}`)
  const file = await open(temporary, 'w', 0o644)
  try {
    try {
      // The umask has had its say on the mode given to open.
      await file.chmod(0o644)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
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
