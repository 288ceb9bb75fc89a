// A folder of a test's own, which every host of the lab sees too: /tmp is shared with them.
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from './space.ts'

/** Makes a folder that is removed when `owner` ends. */
export function tempFolder(owner: Owner, name = 'flanneld-test'): string {
  const path = mkdtempSync(join(tmpdir(), `${name}-${process.pid}-`))
  owner.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}
