// subnet.env as a file that others write to as well: their lines stay, ours come first, and it is written when ours change.
import { appendFileSync, writeFileSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { dockerOpts } from '../../src/cli/verbs/docker-opts.ts'
import { parseSubnetEnv, removeSubnetEnv, renderSubnetEnv, withEnv, writeSubnetEnv } from '../../src/host/subnet-env.ts'
import { updateWhole } from '../../src/files/whole-file.ts'
import { ENV, folder } from '../fake/subnet-file.ts'

const OURS = renderSubnetEnv(ENV)
const DOCKER = 'DOCKER_OPT_BIP="--bip=10.5.72.1/24"\nDOCKER_NETWORK_OPTIONS=" --bip=10.5.72.1/24 --mtu=1450"\n'

test('lines that mk-docker-opts.sh -d subnet.env wrote stay: alone, behind ours, and through a change of ours', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  // The script empties the file first.
  await writeFile(path, DOCKER)
  t.true(await writeSubnetEnv(path, ENV))
  t.is(await readFile(path, 'utf8'), `${OURS}${DOCKER}`)
  const { ino } = await stat(path)
  t.false(await writeSubnetEnv(path, ENV))
  t.is((await stat(path)).ino, ino)
  t.true(await writeSubnetEnv(path, { ...ENV, mtu: 1400 }))
  t.is(await readFile(path, 'utf8'), `${OURS.replace('1450', '1400')}${DOCKER}`)
})

test('a file that says the same in other words, or in another order, is left', (t) => {
  for (const text of [
    `${DOCKER}${OURS}`,
    `# by hand\n${OURS}`,
    OURS.replaceAll('\n', '\r\n'),
    OURS.replaceAll(/=(.*)/g, '="$1"'),
    OURS.replaceAll('FLANNEL', '  export FLANNEL'),
    `FLANNEL_MTU=1\n${OURS}`,
    OURS.trimEnd(),
    `${OURS}FLANNEL_OPTIONS=--theirs\n`,
  ])
    t.is(withEnv(text, ENV), undefined, text)
})

test('a file of which a shell would read something else of ours is repaired, once', (t) => {
  for (const [text, left] of [
    [`${OURS}FLANNEL_MTU=1500\n`, ''],
    [`${OURS}export FLANNEL_MTU='1500'\n${DOCKER}`, DOCKER],
    [`${OURS}FLANNEL_MTU=1450 OTHER=1\n`, ''],
    [`${OURS}FLANNEL_IPV6_NETWORK=fc00::/48\n`, ''],
    [`${OURS}FLANNEL_SUBNET="10.5.72.1/24\n`, ''],
    [`A=1\n${OURS.replace('1450', '1400')}\n# comment\nB=2`, 'A=1\n\n# comment\nB=2\n'],
    ['\xFF\x00binary\n', '\xFF\x00binary\n'],
    ['', ''],
  ] as const) {
    t.is(withEnv(text, ENV), `${OURS}${left}`, text)
    t.is(withEnv(`${OURS}${left}`, ENV), undefined, text)
  }
})

test('any text: ours are read as they should be afterwards, all other lines are there in their order, and nothing more is done', (t) => {
  const line = fc.oneof(
    fc.string().map((text) => text.replaceAll('\n', '')),
    fc
      .tuple(
        fc.constantFrom('', 'export ', ' '),
        fc.constantFrom('FLANNEL_MTU', 'FLANNEL_SUBNET', 'FLANNEL_X', 'DOCKER_OPTS'),
        fc.constantFrom('=', '="', '=1450', '=1450 # x', "='1450'"),
      )
      .map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const before = lines.join('\n')
      const after = withEnv(before, ENV) ?? before
      t.deepEqual(parseSubnetEnv(after), ENV)
      t.is(withEnv(after, ENV), undefined)
      const others = (text: string): readonly string[] =>
        text.split('\n').filter((it) => it !== '' && !/^\s*(export\s+)?FLANNEL_(MTU|SUBNET|NETWORK|IPMASQ)=/.test(it))
      t.deepEqual(others(after), others(before))
    }),
  )
})

test('what another writer writes between our reading and our renaming is not lost', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  const file = { path, what: 'subnet file', flag: '-subnet-file' }
  await writeFile(path, 'A=1\n')
  let asked = 0
  t.true(
    await updateWhole(file, (before) => {
      // As the script does it: the file is emptied, then written line by line.
      if (++asked === 1) writeFileSync(path, 'B=2\n')
      if (asked === 2) appendFileSync(path, 'C=3\n')
      return Buffer.from(`ours\n${before?.toString() ?? ''}`)
    }),
  )
  t.is(asked, 3)
  t.is(await readFile(path, 'utf8'), 'ours\nB=2\nC=3\n')
  asked = 0
  const made = join(path, '..', 'made')
  await updateWhole({ ...file, path: made }, (before) => {
    if (++asked === 1) writeFileSync(made, 'B=2\n')
    return Buffer.from(`ours\n${before?.toString() ?? ''}`)
  })
  t.is(await readFile(made, 'utf8'), 'ours\nB=2\n')
})

test('docker-opts -d subnet.env keeps the lease that is in it, and stays calm the second time', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  await writeSubnetEnv(path, ENV)
  appendFileSync(path, 'THEIRS=1\n')
  const told: string[] = []
  const args = ['-f', path, '-d', path, '-i', '-json']
  for (let n = 0; n < 2; n++) await dockerOpts(args, {}, (text) => told.push(text))
  t.deepEqual(
    told.map((text) => (JSON.parse(text) as { changed: boolean }).changed),
    [true, false],
  )
  const text = await readFile(path, 'utf8')
  t.true(text.startsWith(`${OURS}THEIRS=1\nDOCKER_OPT_BIP="--bip=10.5.72.1/24"\n`), text)
  t.is(text.split('\n').length, 4 + 1 + 3 + 1)
  t.deepEqual(parseSubnetEnv(text), ENV)
  t.false(await writeSubnetEnv(path, ENV))
})

test('our lines are removed, and the file too when no others are left', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  await writeFile(path, `${DOCKER}${OURS}`)
  await removeSubnetEnv(path)
  t.is(await readFile(path, 'utf8'), DOCKER)
  await removeSubnetEnv(path)
  t.is(await readFile(path, 'utf8'), DOCKER)
  await writeFile(path, `${OURS}\n`)
  await removeSubnetEnv(path)
  await t.throwsAsync(stat(path), { code: 'ENOENT' })
  await removeSubnetEnv(path)
})
