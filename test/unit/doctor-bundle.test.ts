// The parts of a bundle that are pure: the archive, against tar(1) itself, and what is redacted.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blot } from '../../src/doctor/bundle.ts'
import { tar } from '../../src/doctor/tar.ts'

test('tar(1) reads what is written: names, times, texts of any length', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flanneld-tar-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const entries = [0, 1, 511, 512, 513, 5000].map((length) => ({ name: `a/${length}.txt`, text: 'ä'.repeat(length) }))
  const file = join(folder, 'x.tar')
  writeFileSync(file, tar(entries, 1_700_000_000))
  const listed = execFileSync('tar', ['--utc', '-tvf', file], { encoding: 'utf8' })
  t.is(listed.trim().split('\n').length, entries.length)
  t.regex(listed, /^-rw------- root\/root +1022 2023-11-14 22:13 a\/511\.txt$/m)
  execFileSync('tar', ['-xf', file, '-C', folder])
  for (const { name, text } of entries) t.is(readFileSync(join(folder, name), 'utf8'), text)
})

test('the same entries are the same bytes, and a name that does not fit is refused', (t) => {
  const entries = [{ name: 'a', text: 'b' }]
  t.deepEqual(tar(entries, 1), tar(entries, 1))
  t.throws(() => tar([{ name: 'x'.repeat(101), text: '' }], 1), { instanceOf: RangeError })
})

test('passwords are redacted wherever they appear, and so are credentials in a URL', (t) => {
  t.is(blot('a geheim b geheim', ['geheim']), 'a (hidden) b (hidden)')
  t.is(blot('"http://user:pw@10.0.0.1:2379/x"', []), '"http://(hidden)@10.0.0.1:2379/x"')
  t.is(blot('https://10.0.0.1:2379 mail@example.org', ['']), 'https://10.0.0.1:2379 mail@example.org')
})

test('the keys in a network config are redacted, however deep in JSON it stands', (t) => {
  for (const psk of ['f00d'.repeat(24), `a "quoted" \\ key`]) {
    let text = JSON.stringify({ Backend: { Type: 'ipsec', psk: psk, UDPEncap: true }, Network: '10.2.0.0/16' })
    for (let depth = 0; depth < 4; depth++) {
      const blotted = blot(text, [])
      for (const part of ['f00d', 'quoted', 'key']) t.false(blotted.includes(part), blotted)
      t.true(blotted.includes('(hidden)') && blotted.includes('UDPEncap') && blotted.includes('10.2.0.0/16'), blotted)
      text = JSON.stringify({ config: text })
    }
  }
})
