// Makes one executable of a program, its addon and a stripped Node 24: `node scripts/single-file.ts ENTRY ADDON OUTPUT`.
// Format: Node's single executable application (nodejs.org/api/single-executable-applications.html).
// Invariant: the output runs on x86-64 Linux with glibc, wherever copied, with no other file of ours there.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NODE_FLAGS, bundle } from './bundle.ts'

/** What Node looks for in its own file to see whether a program was put in (postject's sentinel). */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

const POSTJECT = join(import.meta.dirname, '../node_modules/.bin/postject')

/** Runs a program; what it prints is seen only when it fails (postject warns a dozen times of nothing). */
function quietly(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' })
}

async function main(entry: string, addon: string, output: string): Promise<void> {
  const work = join('build', basename(output))
  mkdirSync(work, { recursive: true })
  mkdirSync(dirname(output), { recursive: true })
  const program = join(work, 'main.cjs')
  const blob = join(work, 'program.blob')
  const config = join(work, 'sea.json')
  writeFileSync(program, await bundle(entry))
  writeFileSync(
    config,
    JSON.stringify({
      main: program,
      output: blob,
      disableExperimentalSEAWarning: true,
      // The code cache is made here and now, so by the Node it will run in and under the same flags.
      useCodeCache: true,
      useSnapshot: false,
      execArgv: NODE_FLAGS,
      execArgvExtension: 'none',
      assets: { [basename(addon)]: addon },
    }),
  )
  quietly(process.execPath, ...NODE_FLAGS, '--experimental-sea-config', config)
  const making = join(work, 'making')
  copyFileSync(process.execPath, making)
  quietly('strip', making)
  quietly(POSTJECT, making, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE)
  renameSync(making, output)
}

const [entry, addon, output] = process.argv.slice(2)
if (entry === undefined || addon === undefined || output === undefined) {
  throw new Error('usage: single-file.ts ENTRY ADDON OUTPUT')
}
await main(entry, addon, output)
