// What documents point to is there: files they name, and pages they link to.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS =
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' }) // prettier-ignore
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))

/** Paths in `code`, of the folders there are; a last part in capitals stands for any name. */
const NAMED = /`((?:src|test|backends|scripts|examples|docs|bench|packaging)\/[\w./-]*[a-z.][\w.]*)`/g

const LINKED = /\]\((?![a-z]+:)([^)#\s]+)(#[^)]*)?\)/g

for (const document of DOCUMENTS) {
  test(`${document}: files it names and links to are there`, (t) => {
    const text = readFileSync(join(ROOT, document), 'utf8')
    const named = Array.from(text.matchAll(NAMED), ([, path = '']) => path)
    const linked = Array.from(text.matchAll(LINKED), ([, path = '']) => join(dirname(document), path))
    t.deepEqual(
      [...named, ...linked].filter((path) => !existsSync(join(ROOT, path))),
      [],
    )
  })
}
