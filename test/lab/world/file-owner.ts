// What all tests of a file share, and when it ends: a lab made once, in before(), for a test per claim.
import test from 'ava'
import type { Owner } from './space.ts'

/** Owns what is made for a test file: closed after its last test, failed or not, the last made first. Called at the file's top. */
export function fileOwner(): Owner {
  const closings: (() => Promise<void>)[] = []
  test.after.always(async () => {
    for (const close of closings.splice(0).reverse()) await close()
  })
  return { teardown: (close) => void closings.push(close) }
}
