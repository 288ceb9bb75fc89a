// What documents point to exists: files they name, pages they link to, and headings within them.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))

/** Paths in `code`, of the folders there are; a last part in capitals stands for any name. */
const NAMED = /`((?:src|test|backends|scripts|examples|docs|bench|packaging)\/[\w./-]*[a-z.][\w.]*)`/g

const LINKED = /\]\((?![a-z]+:)([^)#\s]+)(#[^)]*)?\)/g

const ANCHORED = /\]\((?![a-z]+:)([^)#\s]*)#([^)]*)\)/g

/** The anchors of a page's headings, as GitHub makes them. */
function headingsOf(page: string): ReadonlySet<string> {
  const headings = readFileSync(join(ROOT, page), 'utf8').matchAll(/^#+ (.*)$/gm)
  return new Set(
    Array.from(headings, ([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

for (const document of DOCUMENTS) {
  test(`${document}: files it names and links to are there`, (t) => {
    const text = readFileSync(join(ROOT, document), 'utf8')
    const named = Array.from(text.matchAll(NAMED), ([, path = '']) => path)
    const linked = Array.from(text.matchAll(LINKED), ([, path = '']) => join(dirname(document), path))
    t.deepEqual(
      [...named, ...linked].filter((path) => !existsSync(join(ROOT, path))),
      [],
    )
    const anchors = Array.from(text.matchAll(ANCHORED), ([, path = '', anchor = '']) => ({
      page: path === '' ? document : join(dirname(document), path),
      anchor,
    }))
    t.deepEqual(
      anchors.filter(({ page, anchor }) => !headingsOf(page).has(anchor)),
      [],
    )
  })
}
