// Where native addons are found: inside a single executable, else next to the bundle, else in the tree's build folder.
// Invariant: nothing is left behind on disk; when one cannot be loaded, one line says where it was looked for and why not.
import { closeSync, constants, openSync, realpathSync, writeSync } from 'node:fs'
import { constants as os } from 'node:os'
import { dirname, join } from 'node:path'
import { OperatorError, messageOf } from '../errors.ts'

/** Unnamed files want a folder that can be written and is not mounted noexec. */
const TEMPORARY = ['/run', '/tmp', '/var/tmp', '/dev/shm']
/** O_TMPFILE of fcntl(2): (__O_TMPFILE | O_DIRECTORY), the same bits on amd64 and arm64 but for O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/** What an addon exports; `file` is its name. Throws OperatorError when it cannot be loaded. */
export function loadNative(file: string): unknown {
  const tried: string[] = []
  const places = embedded(file) ?? besideProgram(file).map((path) => () => dlopen(path))
  for (const open of places) {
    try {
      return open()
    } catch (error) {
      tried.push(messageOf(error))
    }
  }
  throw new OperatorError(`addon: ${file}: cannot be loaded: ${tried.join('; ')}`)
}

function dlopen(path: string): unknown {
  const module = { exports: {} }
  process.dlopen(module, path, os.dlopen.RTLD_NOW)
  return module.exports
}

/** Inside a single executable: ways to load the addon from its assets. */
function embedded(file: string): (() => unknown)[] | undefined {
  const sea = process.getBuiltinModule('node:sea')
  if (!sea.isSea()) return undefined
  const image = new Uint8Array(sea.getRawAsset(file))
  return TEMPORARY.map((folder) => () => loadUnnamed(folder, image))
}

/** Loads an image from a file without a name, so that nothing is left behind or can be exchanged. */
function loadUnnamed(folder: string, image: Uint8Array): unknown {
  const fd = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o700)
  try {
    for (let at = 0; at < image.length;) at += writeSync(fd, image, at)
    return dlopen(`/proc/self/fd/${fd}`)
  } finally {
    closeSync(fd)
  }
}

/** Next to the bundle that runs, and in the tree's build folder when run from source. */
function besideProgram(file: string): string[] {
  const program = process.argv[1]
  const beside = program === undefined ? [] : [join(dirname(real(program)), file)]
  // A CommonJS bundle has no import.meta.url; the source tree has.
  const source = urlOf(import.meta)
  return source === undefined ? beside : [new URL(`../../build/${file}`, source).pathname, ...beside]
}

function urlOf({ url }: Partial<ImportMeta>): string | undefined {
  return url
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
