// Files and sockets in folders that others write to: what they laid there is never written into, followed or removed, and what is
// ours is at no moment open to them.
import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { writeSubnetEnv } from '../../src/host/subnet-env.ts'
import { listenAt, removeSocket } from '../../src/http/unix-socket.ts'
import { writePrivate } from '../../src/files/whole-file.ts'
import { ENV, folder } from '../fake/subnet-file.ts'

const run = promisify(execFile)

test('a socket is closed to others from the moment it is made, whatever the umask', async (t) => {
  const path = join(await folder(t), 'sock')
  const code = `
    import { lstatSync } from 'node:fs'
    import { createServer, Server } from 'node:net'
    import { createLog } from ${JSON.stringify(new URL('../../src/log.ts', import.meta.url).href)}
    import { serveControl } from ${JSON.stringify(new URL('../../src/http/control-socket.ts', import.meta.url).href)}
    process.umask(0)
    const modes = []
    const listen = Server.prototype.listen
    Server.prototype.listen = function (...args) {
      const result = listen.apply(this, args)
      modes.push(lstatSync(process.argv[1]).mode & 0o777)
      return result
    }
    const stop = new AbortController()
    await serveControl(process.argv[1], new Map(), createLog('x', 0, () => undefined), stop.signal)
    modes.push(lstatSync(process.argv[1]).mode & 0o777)
    console.log(JSON.stringify([...modes, process.umask()]))
    stop.abort()`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code, path])
  const [made, served, umask] = JSON.parse(stdout) as readonly number[]
  t.is((made ?? 0o777) & 0o007, 0)
  t.is(served, 0o660)
  t.is(umask, 0)
  t.deepEqual(await readdir(join(path, '..')), [])
})

test('what is no socket is left where one belongs, a stale socket is replaced', async (t) => {
  const made = await folder(t)
  const path = join(made, 'sock')
  await writeFile(path, 'precious')
  const server = createServer()
  await t.throwsAsync(listenAt(server, path), { message: /no socket is there/ })
  t.false(removeSocket(path))
  t.is(await readFile(path, 'utf8'), 'precious')

  const stale = join(made, 'stale')
  await run(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`,
    stale,
  ]).catch(() => undefined)
  t.true((await lstat(stale)).isSocket())
  t.teardown(() => server.close())
  await listenAt(server, stale)
  t.is((await lstat(stale)).mode & 0o777, 0o660)
  t.true(removeSocket(join(made, 'nothing')))
})

test('links that other users placed at the names of temporary files are not followed', async (t) => {
  const made = await folder(t)
  const [path, target] = [join(made, 'subnet.env'), join(made, 'target')]
  await writeFile(target, 'precious')
  for (let n = 0; n < 200; n++) await symlink(target, join(made, `.subnet.env.${process.pid}.${n}`))
  for (const mtu of [1400, 1410, 1420]) t.true(await writeSubnetEnv(path, { ...ENV, mtu }))
  t.is(await readFile(target, 'utf8'), 'precious')
  t.true((await lstat(path)).isFile())
  t.regex(await readFile(path, 'utf8'), /MTU=1420/)
})

test('where such a name can neither be removed nor made, another is taken', async (t) => {
  const made = await folder(t)
  for (let n = 0; n < 200; n++) await mkdir(join(made, `.subnet.env.${process.pid}.${n}`))
  t.true(await writeSubnetEnv(join(made, 'subnet.env'), ENV))
  t.is((await stat(join(made, 'subnet.env'))).mode & 0o777, 0o644)
})

test("a private file replaces neither a link nor another user's file, and has mode 0600 where it replaces ours", async (t) => {
  const made = await folder(t)
  const [target, link, theirs, ours] = ['target', 'link', 'theirs', 'ours'].map((name) => join(made, name)) as [
    string,
    string,
    string,
    string,
  ]
  await writeFile(target, 'precious')
  await symlink(target, link)
  await t.throwsAsync(writePrivate(link, Buffer.from('x')), { code: 'EEXIST' })
  await symlink(join(made, 'nowhere'), join(made, 'dangling'))
  await t.throwsAsync(writePrivate(join(made, 'dangling'), Buffer.from('x')), { code: 'EEXIST' })
  await writeFile(theirs, 'theirs')
  await run('chown', ['65534', theirs])
  await t.throwsAsync(writePrivate(theirs, Buffer.from('x')), { code: 'EEXIST' })
  t.is(await readFile(theirs, 'utf8'), 'theirs')
  await writeFile(ours, 'old')
  await chmod(ours, 0o644)
  await writePrivate(ours, Buffer.from('new'))
  t.is(await readFile(ours, 'utf8'), 'new')
  t.is((await stat(ours)).mode & 0o777, 0o600)
  t.is(await readFile(target, 'utf8'), 'precious')
})
