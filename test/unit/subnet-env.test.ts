import { execFile } from 'node:child_process'
import { link, readFile, readdir, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { fromBigint } from '../../src/ip/address.ts'
import { type Prefix, prefixOf } from '../../src/ip/prefix.ts'
import {
  type SubnetEnv,
  parseSubnetEnv,
  readSubnetEnv,
  renderSubnetEnv,
  writeSubnetEnv,
} from '../../src/host/subnet-env.ts'
import { ENV, folder } from '../fake/subnet-file.ts'
import { isOver } from '../lab/instruments/wait.ts'
import { NEITHER, onlySubnet } from '../../src/ip/by-family.ts'

const run = promisify(execFile)

const TEXT = 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

test("the text is Go's, names and order", (t) => {
  t.is(renderSubnetEnv(ENV), TEXT)
})

test('dual stack, and IPv6 alone', (t) => {
  const network6 = 'fc00::/48' as Prefix
  const subnet6 = 'fc00:0:0:5::/64' as Prefix
  const tail =
    'FLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_IPV6_SUBNET=fc00:0:0:5::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n'
  const networks = { ...ENV.networks, ipv6: network6 }
  const subnets = { ...ENV.subnets, ipv6: subnet6 }
  const env = { networks, subnets, mtu: 1430, ipMasq: true }
  t.is(renderSubnetEnv(env), `FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\n${tail}`)
  t.is(renderSubnetEnv({ ...env, networks: onlySubnet(network6), subnets: onlySubnet(subnet6) }), tail)
})

const prefix = (family: 4 | 6, min: number, max: number): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.bigInt({ min: 0n, max: family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n }), fc.integer({ min, max }))
    .map(([value, length]) => prefixOf(fromBigint(family, value), length))

const anyEnv: fc.Arbitrary<SubnetEnv> = fc
  .record({
    four: fc.option(fc.tuple(prefix(4, 4, 28), prefix(4, 4, 30)), { nil: undefined }),
    six: fc.option(fc.tuple(prefix(6, 4, 124), prefix(6, 4, 126)), { nil: undefined }),
    mtu: fc.integer({ min: 68, max: 65535 }),
    ipMasq: fc.boolean(),
  })
  .map(({ four, six, mtu, ipMasq }) => ({
    networks: { ipv4: four?.[0], ipv6: six?.[0] },
    subnets: { ipv4: four?.[1], ipv6: six?.[1] },
    mtu,
    ipMasq,
  }))

test('what is rendered is parsed back the same', (t) => {
  fc.assert(fc.property(anyEnv, (env) => void t.deepEqual(parseSubnetEnv(renderSubnetEnv(env)), env)))
})

test('a shell that sources the text sees the same values', async (t) => {
  const script = 'set -eu; eval "$1"; echo "$FLANNEL_NETWORK $FLANNEL_SUBNET $FLANNEL_MTU $FLANNEL_IPMASQ"'
  const { stdout } = await run('sh', ['-c', script, 'sh', renderSubnetEnv(ENV)])
  t.is(stdout, '10.5.0.0/16 10.5.72.1/24 1450 false\n')
})

test('reading bears quotes, comments, blanks, CRLF, export, a byte order mark and foreign lines', (t) => {
  const text = [
    '\uFEFFFLANNEL_NETWORK="10.5.0.0/16"',
    '# by hand',
    '',
    "export FLANNEL_SUBNET='10.5.72.1/24'  # ours",
    '  FLANNEL_MTU=1450\t',
    'OTHER=$(reboot)',
    'not an assignment',
    'FLANNEL_IPMASQ=true',
    'FLANNEL_IPMASQ=false',
  ].join('\r\n')
  t.deepEqual(parseSubnetEnv(text), ENV)
})

test('what is missing or malformed reads as undefined and hides nothing else', (t) => {
  const nothing = {
    networks: NEITHER,
    subnets: NEITHER,
    mtu: undefined,
    ipMasq: undefined,
  }
  t.deepEqual(parseSubnetEnv(''), nothing)
  const bad = [
    'NETWORK=10.5.0.0',
    'SUBNET=$(id)',
    'SUBNET6=::1/64',
    'MTU=0x5',
    'MTU=-1',
    'IPMASQ=constructor',
    'IPV6_SUBNET=10.5.0.1/24',
  ]
  t.deepEqual(parseSubnetEnv(bad.map((line) => `FLANNEL_${line}`).join('\n')), nothing)
  t.deepEqual(parseSubnetEnv('FLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU='), { ...nothing, subnets: ENV.subnets })
})

test('any text is read without throwing, and no value is made up', (t) => {
  const line = fc
    .tuple(fc.constantFrom('FLANNEL_SUBNET=', 'FLANNEL_MTU=', 'export FLANNEL_IPMASQ='), fc.string())
    .map((p) => p.join(''))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), line)).map((lines) => lines.join('\n')),
      (text) => {
        const { mtu, subnets } = parseSubnetEnv(text)
        const subnet = subnets.ipv4
        t.true(mtu === undefined || text.includes(String(mtu)))
        t.true(subnet === undefined || text.includes('/'))
      },
    ),
  )
})

test('the file is written with its folder, mode 0644 whatever the umask, and no other file is left', async (t) => {
  const path = join(await folder(t), 'run', 'flannel', 'subnet.env')
  const script = `
    process.umask(0o077)
    const { writeSubnetEnv } = await import(${JSON.stringify(new URL('../../src/host/subnet-env.ts', import.meta.url).href)})
    console.log(await writeSubnetEnv(process.argv[1], ${JSON.stringify(ENV)}))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script, path])
  t.is(stdout, 'true\n')
  t.is(await readFile(path, 'utf8'), TEXT)
  t.is((await stat(path)).mode & 0o7777, 0o644)
  t.deepEqual(await readdir(join(path, '..')), ['subnet.env'])
  t.deepEqual(await readSubnetEnv(path), ENV)
})

test('an equal file is not touched, a different one is replaced, never written into', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  t.true(await writeSubnetEnv(path, ENV))
  const { ino, mtimeNs } = await stat(path, { bigint: true })
  t.false(await writeSubnetEnv(path, ENV))
  const same = await stat(path, { bigint: true })
  t.deepEqual([same.ino, same.mtimeNs], [ino, mtimeNs])
  // A reader that opened the old file keeps all of it: the hard link stands for the open descriptor.
  await link(path, `${path}.open`)
  t.true(await writeSubnetEnv(path, { ...ENV, mtu: 1400 }))
  t.is(await readFile(`${path}.open`, 'utf8'), TEXT)
  t.is((await readSubnetEnv(path))?.mtu, 1400)
})

test('a reader never sees a part of the file while it is rewritten', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  await writeSubnetEnv(path, ENV)
  const done = new AbortController()
  const writer = (async () => {
    for (let mtu = 1000; mtu < 1200; mtu++) await writeSubnetEnv(path, { ...ENV, mtu })
    done.abort()
  })()
  while (!isOver(done.signal)) t.regex(await readFile(path, 'utf8'), /^FLANNEL_NETWORK=[^]*FLANNEL_IPMASQ=false\n$/)
  await writer
  t.is((await readSubnetEnv(path))?.mtu, 1199)
})

test('two writers at once leave one of the two files complete', async (t) => {
  const path = join(await folder(t), 'subnet.env')
  await Promise.all([1400, 1410, 1420].map((mtu) => writeSubnetEnv(path, { ...ENV, mtu })))
  t.true([1400, 1410, 1420].includes((await readSubnetEnv(path))?.mtu ?? 0))
  t.deepEqual(await readdir(join(path, '..')), ['subnet.env'])
})

test('a file that is not there reads as undefined, a dangling link too', async (t) => {
  const made = await folder(t)
  t.is(await readSubnetEnv(join(made, 'absent', 'subnet.env')), undefined)
  await symlink(join(made, 'nowhere'), join(made, 'link'))
  t.is(await readSubnetEnv(join(made, 'link')), undefined)
})
