// Nothing under examples/ rots: each folder is named by a test that runs what is in it.
import test from 'ava'
import { globSync, readFileSync, readdirSync } from 'node:fs'

test('every folder under examples/ is run by a test', (t) => {
  const tests = globSync('test/{contract,docker,netns,packages,unit}/**/*.test.ts')
    .filter((path) => !path.endsWith('unit/examples.test.ts'))
    .map((path) => readFileSync(path, 'utf8'))
  const folders = readdirSync('examples')
  t.true(folders.length >= 7)
  const unnamed = folders.filter((folder) => !tests.some((text) => text.includes(`examples/${folder}`)))
  t.deepEqual(unnamed, [])
})
