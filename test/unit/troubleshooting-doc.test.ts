// docs/troubleshooting.md lists doctor's checks as they are, names no other, and leaves none without a symptom.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHECKS } from '../../src/doctor/checks.ts'
import { ROOT } from '../lab/actors/flanneld.ts'

const [symptoms = '', list = ''] = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8').split('## All checks')

test('the list is that of the program', (t) => {
  const rows = Array.from(list.matchAll(/^\| `(\S+)` \| (.*?) \| (.*?) ?\|$/gm), ([, name, about, peer]) => [
    name,
    about,
    peer,
  ])
  t.deepEqual(
    rows,
    CHECKS.map(({ name, about, ofPeer }) => [name, about, ofPeer ? 'yes' : '']),
  )
})

test('every check is listed under a symptom', (t) => {
  const named = new Set(Array.from(symptoms.matchAll(/`([a-z\d-]+)`/g), ([, name]) => name))
  t.deepEqual(
    CHECKS.map(({ name }) => name).filter((name) => !named.has(name)),
    [],
  )
  const told = Array.from(symptoms.matchAll(/^- ((?:`[a-z\d-]+`(?:, )?)+):/gm), ([, names = '']) =>
    names.replaceAll('`', '').split(', '),
  )
  t.deepEqual(
    told.flat().filter((name) => !CHECKS.some((check) => check.name === name)),
    [],
  )
})
