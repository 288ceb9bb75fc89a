// Folders are made, or the reason is reported at once.
import test from 'ava'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFolder } from '../../src/files/make-folder.ts'

test('a folder and those above it are made; one that is there is left as it is', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'folder-'))
  t.teardown(() => {
    rmSync(base, { recursive: true })
  })
  await Promise.all([makeFolder(join(base, 'a/b/c')), makeFolder(join(base, 'a/b/d'))])
  t.true(statSync(join(base, 'a/b/c')).isDirectory() && statSync(join(base, 'a/b/d')).isDirectory())
  const before = statSync(base).mtimeMs
  await makeFolder(base)
  t.is(statSync(base).mtimeMs, before)
})

test('a file in place of the folder, and a path where no folder can exist, are refused at once', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'folder-'))
  t.teardown(() => {
    rmSync(base, { recursive: true })
  })
  writeFileSync(join(base, 'file'), '')
  await t.throwsAsync(makeFolder(join(base, 'file')), { code: 'EEXIST' })
  await t.throwsAsync(makeFolder(join(base, 'file/x')), { code: 'ENOTDIR' })
  for (const path of ['/proc/x', '/proc/x/y/z']) await t.throwsAsync(makeFolder(path), { code: 'ENOENT' })
})
