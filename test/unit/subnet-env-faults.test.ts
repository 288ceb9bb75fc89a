import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { OperatorError } from '../../src/errors.ts'
import { writeSubnetEnv } from '../../src/host/subnet-env.ts'
import { ENV, folder } from '../fake/subnet-file.ts'

const run = promisify(execFile)

test('an obstacle is an error that names the file and the cause', async (t) => {
  const made = await folder(t)
  await mkdir(join(made, 'directory'))
  await writeFile(join(made, 'file'), 'x')
  const directory = join(made, 'directory')
  await t.throwsAsync(writeSubnetEnv(directory, ENV), {
    instanceOf: OperatorError,
    message: `subnet file cannot be read: ${directory}: EISDIR (it is a directory: name a file with -subnet-file)`,
  })
  const below = join(made, 'file', 'subnet.env')
  await t.throwsAsync(writeSubnetEnv(below, ENV), {
    instanceOf: OperatorError,
    message: /file\/subnet\.env: ENOTDIR \(a part/,
  })
  t.deepEqual((await readdir(made)).toSorted(), ['directory', 'file'])
})

test('no permission is such an error', async (t) => {
  const made = await folder(t)
  await chmod(made, 0o755)
  // As another user, for root may write anywhere.
  const script = `
    process.setgroups([]); process.setgid(65534); process.setuid(65534)
    await writeSubnetEnv(process.argv[1], env).catch((error) => console.log(error.name, error.message))`
  const output = await inChild(script, [join(made, 'subnet.env')])
  t.regex(
    output,
    /^OperatorError subnet file cannot be written: .*subnet\.env: EACCES \(permission denied: run as root/,
  )
})

test('a read-only and a full file system are such errors, the old file stays, and nothing is left behind', async (t) => {
  const made = await folder(t)
  // Mounts in a mount namespace of its own: gone with the process.
  const script = `
    const { execFileSync } = await import('node:child_process')
    const { readFileSync, readdirSync, writeFileSync } = await import('node:fs')
    const folder = process.argv[1], path = folder + '/subnet.env'
    const attempt = () => writeSubnetEnv(path, { ...env, mtu: 1300 }).catch((error) => console.log(error.name, error.message))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'none', folder])
    await writeSubnetEnv(path, env)
    try { writeFileSync(folder + '/ballast', Buffer.alloc(65536)) } catch {}
    await attempt()
    console.log(readdirSync(folder).join(), readFileSync(path, 'utf8').includes('MTU=1450'))
    execFileSync('mount', ['-o', 'remount,ro', folder])
    await attempt()
    console.log(readdirSync(folder).join(), readFileSync(path, 'utf8').includes('MTU=1450'))`
  const lines = (await inChild(script, [made], ['unshare', '--mount', '--propagation', 'private'])).trim().split('\n')
  t.is(
    lines[0],
    `OperatorError subnet file cannot be written: ${made}/subnet.env: ENOSPC (no space left on the file system: free some, or name another file with -subnet-file)`,
  )
  t.is(lines[1], 'ballast,subnet.env true')
  t.regex(
    lines[2] ?? '',
    /^OperatorError .*: EROFS \(the file system is read-only: name another file with -subnet-file\)$/,
  )
  t.is(lines[3], 'ballast,subnet.env true')
})

/** Runs a piece of module code that has `writeSubnetEnv` and `env` at hand in a process of its own; its output. */
async function inChild(script: string, args: readonly string[], before: readonly string[] = []): Promise<string> {
  const url = new URL('../../src/host/subnet-env.ts', import.meta.url).href
  const code = `import { writeSubnetEnv } from ${JSON.stringify(url)}\nconst env = ${JSON.stringify(ENV)}\n${script}`
  const [program = process.execPath, ...rest] = [
    ...before,
    process.execPath,
    '--input-type=module',
    '-e',
    code,
    ...args,
  ]
  return (await run(program, rest)).stdout
}
