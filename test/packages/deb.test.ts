// The Debian package: made twice, judged, and taken through the life of a package in a clean Debian.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesOf, mountDebian } from '../lab/world/debian.ts'
import { ROOT } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'

const folder = mkdtempSync(join(tmpdir(), 'deb-'))
test.after.always(() => {
  rmSync(folder, { recursive: true })
})

/** Makes a package of this version; times in it are of 2026-01-01 if not said otherwise. */
function build(version: string, architecture = 'amd64', name = `flanneld_${version}_${architecture}.deb`): string {
  const output = join(folder, name)
  execFileSync(process.execPath, ['scripts/deb.ts', version, architecture, output], {
    cwd: ROOT,
    env: { ...process.env, SOURCE_DATE_EPOCH: '1767225600' },
  })
  return output
}

const version =
  execFileSync(join(ROOT, 'dist/flanneld-amd64'), ['-version'], { encoding: 'utf8' }).trim().split(' ')[1] ?? ''
const first = build(version)
const later = build('99.0')

test('two builds give the same bytes', (t) => {
  t.true(readFileSync(build(version, 'amd64', 'again.deb')).equals(readFileSync(first)))
  // The program itself too, made again from source.
  const again = join(folder, 'flanneld-amd64')
  const addons = ['build/kernel_socket.node', 'build/raw-24.node']
  execFileSync(process.execPath, ['scripts/single-file.ts', 'amd64', 'src/main.ts', again, ...addons], { cwd: ROOT })
  t.true(readFileSync(again).equals(readFileSync(join(ROOT, 'dist/flanneld-amd64'))))
})

test('lintian has nothing to say', (t) => {
  const arm64 = build(version, 'arm64')
  const said = execFileSync('lintian', ['--allow-root', '--fail-on', 'error,warning', first, arm64], {
    encoding: 'utf8',
  })
  t.is(said, '')
})

test('the manual page reads well, and has every verb and option of the program', (t) => {
  const page = execFileSync('sh', [
    '-c',
    `dpkg-deb --fsys-tarfile ${first} | tar -xO ./usr/share/man/man8/flanneld.8.gz | gunzip`,
  ])
  t.is(execFileSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: page, encoding: 'utf8' }), '')
  const text = execFileSync('mandoc', ['-T', 'ascii', '-O', 'width=500'], {
    input: page,
    encoding: 'utf8',
  }).replaceAll(/.[\b]/g, '') // bold, as overstrikes
  const help = execFileSync(join(ROOT, 'dist/flanneld-amd64'), ['-help'], { encoding: 'utf8' })
  const words = Array.from(help.matchAll(/^ {2}(-?[a-z][\w-]*)/gm), (match) => match[1] ?? '')
  t.true(words.includes('status') && words.includes('-etcd-endpoints'))
  t.deepEqual(
    words.filter((word) => !new RegExp(`^ +${word}( |$)`, 'm').test(text)),
    [],
  )
})

test('installed, upgraded, removed and purged in a clean Debian, it leaves the files that were there', async (t) => {
  const space = await (await createLab(t)).space('debian')
  const debian = await mountDebian(space)
  const before = await filesOf(debian)
  for (const [path, name] of [
    [first, 'first.deb'],
    [later, 'later.deb'],
  ] as const) {
    copyFileSync(path, join(debian.folder, 'run', name))
  }

  await debian.run('dpkg -i /run/first.deb')
  t.is((await debian.run('flanneld -version')).trim(), `flanneld ${version}`)
  t.is(await debian.run("dpkg-query -W -f '${Version}' flanneld"), version)
  t.is(await debian.run('dpkg --verify flanneld'), '')
  t.regex(await debian.run('cat /usr/lib/systemd/system/flanneld.service'), /^ExecStart=\/usr\/bin\/flanneld$/m)
  t.notRegex(
    await debian.run(
      'grep -r /usr/local /usr/lib/systemd/system/flanneld.service /usr/share/doc/flanneld/examples || true',
    ),
    /./,
  )
  const complete = '. /usr/share/bash-completion/completions/flanneld; complete -p flanneld'
  t.regex(await debian.run(`bash -c '${complete}'`), /^complete .* flanneld$/m)
  t.regex(await debian.run('cat /usr/share/zsh/vendor-completions/_flanneld'), /^#compdef flanneld$/m)
  // Neither enabled nor started.
  t.is(await debian.run('find /etc/systemd /run -name "flanneld*"'), '')
  t.is((await debian.run('stat -c %a /etc/default/flanneld')).trim(), '600')
  t.notRegex(await debian.run('cat /etc/default/flanneld'), /^[^#\n]/m, 'no option is set')

  // What the administrator wrote stays, through an upgrade and a removal.
  await debian.run('echo FLANNELD_IFACE=eth7 >>/etc/default/flanneld')
  await debian.run(
    'mkdir -p /etc/systemd/system/multi-user.target.wants && ln -s /usr/lib/systemd/system/flanneld.service /etc/systemd/system/multi-user.target.wants',
  )
  await debian.run('dpkg -i /run/later.deb')
  t.is(await debian.run("dpkg-query -W -f '${Version}' flanneld"), '99.0')
  t.regex(await debian.run('cat /etc/default/flanneld'), /^FLANNELD_IFACE=eth7$/m)
  await debian.run('dpkg --remove flanneld')
  await t.throwsAsync(debian.run('flanneld -version'))
  t.regex(await debian.run('cat /etc/default/flanneld'), /^FLANNELD_IFACE=eth7$/m)

  await debian.run('mkdir -p /run/flannel && touch /run/flannel/subnet.env')
  await debian.run('dpkg --purge flanneld && rm /run/first.deb /run/later.deb')
  await debian.run('rmdir --ignore-fail-on-non-empty -p /etc/systemd/system/multi-user.target.wants')
  t.deepEqual(await filesOf(debian), before)
})
