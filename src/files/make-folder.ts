// Making folders. Not by Node's own recursive mkdir: where no folder can be made and the kernel calls that ENOENT, as in
// /proc, it tries again for ever, in a thread of its own, and the process cannot end either.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder (0755, less the umask) and those above it, unless they are there. Rejects with the error of mkdir(2). */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeFolder(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, 0o755)
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()
    if (!isThere) throw error
  }
}
