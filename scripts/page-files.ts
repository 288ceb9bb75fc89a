// An esbuild plugin: the page at / of the health port comes with the bundle. Its script is made of its parts; HTML and styles are
// taken as they are.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Plugin, build as bundle } from 'esbuild'
import type { PageFiles } from '../src/page/files.ts'

const FOLDER = join(import.meta.dirname, '../src/page/browser')

async function readFiles(): Promise<PageFiles> {
  const result = await bundle({
    entryPoints: [join(FOLDER, 'main.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
  const [script] = result.outputFiles
  if (script === undefined) throw new Error('page: esbuild gave no script')
  const styles = readdirSync(FOLDER).filter((name) => name.endsWith('.css'))
  return {
    html: readFileSync(join(FOLDER, 'page.html'), 'utf8'),
    css: styles
      .toSorted()
      .map((name) => readFileSync(join(FOLDER, name), 'utf8'))
      .join('\n'),
    script: script.text,
  }
}

/** The plugin; it fills in src/page/files.ts. */
export const pageFiles: Plugin = {
  name: 'page-files',
  setup(build) {
    build.onLoad({ filter: /\/src\/page\/files\.ts$/ }, async () => ({
      contents: `const files = ${JSON.stringify(await readFiles())}\nexport const pageFiles = () => files\n`,
      loader: 'js',
    }))
  },
}
