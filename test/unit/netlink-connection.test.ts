// The conversation with a real kernel where it goes wrong: refusals, lost answers, silence, other processes' voices.
// In the test process's own network namespace nothing is written: every message here is refused or only reads.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { addon } from '../../src/netlink/addon.ts'
import { NetlinkConnection } from '../../src/netlink/connection.ts'
import { askLink, askLinks, readLink } from '../../src/netlink/link.ts'
import type { Encode } from '../../src/netlink/message.ts'
import { deleteNexthop } from '../../src/netlink/nexthop.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** Refused with ENOENT, whatever there is: number 0 is no nexthop's, high ones we have none of. */
const refused: Encode = deleteNexthop(0xfffffff0)
/** A length under that of a header: the kernel throws it away without a word (netlink_rcv_skb). */
const unanswered: Encode = (message) => {
  message.header(16, 0, 0)
  message.length -= 12
}

test('a refusal names what was tried, the errno and the kernel’s own words', async (t) => {
  const connection = new NetlinkConnection()
  await t.throwsAsync(connection.request('read device nosuch0', askLink('nosuch0')), {
    name: 'KernelError',
    message: 'read device nosuch0: ENODEV',
  })
  await t.throwsAsync(connection.request('delete nexthop', deleteNexthop(0)), {
    message: 'delete nexthop: EINVAL (Invalid nexthop id)',
  })
  connection.close()
})

test('a dump shows each object; a visitor that throws ends it with that error, and the next goes well', async (t) => {
  const connection = new NetlinkConnection()
  await t.throwsAsync(
    connection.dump('read', askLinks, () => () => {
      throw new Error('enough')
    }),
    { message: 'enough' },
  )
  const names: string[] = []
  await connection.dump('read', askLinks, () => (message) => names.push(readLink(message).name))
  t.true(names.includes('lo'))
  connection.close()
})

test('a batch of which every message is refused says so of each, by its index', async (t) => {
  const connection = new NetlinkConnection()
  const answers = await connection.batch(Array.from({ length: 3000 }, () => refused))
  t.deepEqual(
    [...answers.keys()],
    Array.from({ length: 3000 }, (_, n) => n),
  )
  t.deepEqual([...new Set([...answers.values()].map(({ errno }) => errno))], [2])
  t.is((await connection.batch([])).size, 0)
  connection.close()
})

test('answers the kernel had to drop count as refusals, and the connection stays usable', async (t) => {
  const connection = new NetlinkConnection(undefined, { bufferBytes: 2048 })
  const answers = await connection.batch(Array.from({ length: 500 }, () => refused))
  t.is(answers.size, 500)
  t.true([...answers.values()].some(({ errno, detail }) => errno === 105 && detail === 'answer lost'))
  await t.throwsAsync(connection.request('read', askLink('nosuch0')), { message: 'read: ENODEV' })
  connection.close()
})

test('an answer that never comes times out, and the connection stays usable', async (t) => {
  const connection = new NetlinkConnection(undefined, { deadlineMs: 20 })
  await t.throwsAsync(connection.request('say', unanswered), { message: 'say: ETIMEDOUT (no answer)' })
  const answers = await connection.batch([refused, unanswered])
  t.deepEqual(
    [...answers.entries()],
    [
      [0, { errno: 2, detail: '' }],
      [1, { errno: 110, detail: 'no answer' }],
    ],
  )
  await connection.dump('read', askLinks, () => () => undefined)
  connection.close()
})

test('calls on a closed connection are rejected, those before it are answered', async (t) => {
  const connection = new NetlinkConnection()
  const before = connection.batch([refused])
  connection.close()
  connection.close()
  await t.throwsAsync(connection.request('read', askLinks), { message: 'netlink: EBADF (closed)' })
  t.is((await before).size, 1)
})

test('a network namespace that is not there is an error, and leaves us in our own', async (t) => {
  t.throws(() => new NetlinkConnection('/nonexistent/ns'), { message: 'netlink: socket: ENOENT' })
  t.throws(() => new NetlinkConnection('/proc/self/ns/mnt'), { message: 'netlink: socket: EINVAL' })
  const own = new NetlinkConnection()
  const names: string[] = []
  await own.dump('read', askLinks, () => (message) => names.push(readLink(message).name))
  t.true(names.includes('lo'))
  own.close()
})

test('what another process sends to our port is not taken for the kernel', async (t) => {
  const sys = addon()
  const fd = sys.socket(16, 3, 0)
  const port = sys.bindNetlink(fd, 0)
  const sender = `import socket,struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.sendto(struct.pack("=IHHII", 16, 3, 0, 1, 0), (${port}, 0))`
  const code = await new Promise((resolve) => spawn('python3', ['-c', sender]).on('close', resolve))
  t.is(code, 0)
  t.is(sys.recvNetlink(fd, new Uint8Array(4096)), -11)
  sys.close(fd)
})

test('a wrong type of argument is a TypeError, not a crash', (t) => {
  const sys = addon() as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>
  const calls: readonly (readonly [string, ...unknown[]])[] = [
    ['socket', 'a'],
    ['socket', 16, 3, 0, 7],
    ['open', undefined, 0],
    ['bindNetlink'],
    ['setsockopt', 1, 2, 3, 'x'],
    ['getsockopt', 1, 2, 3, 4],
    ['send', 1, new Uint8Array(3), 4],
    ['send', 1, new Uint16Array(3), 2],
    ['recvNetlink', 1, 'x'],
    ['sendUnix', 3, new Uint8Array(1)],
    ['listenUnix', 3],
    ['connectUnix'],
    ['acceptUnix', 'x'],
    ['ioctl', 1, 2, 3],
    ['read', 1],
    ['write', 1, null],
    ['close'],
    ['pollStart', 1, 1, 1],
    ['pollAgain', {}, 1],
    ['pollStop', undefined],
  ]
  for (const [name, ...args] of calls) t.throws(() => sys[name]?.(...args), { instanceOf: TypeError }, name)
})

test('datagrams reach path and abstract Unix sockets (sd_notify)', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'))
  const listeners: ChildProcess[] = []
  t.teardown(() => {
    for (const child of listeners) child.kill()
    rmSync(folder, { recursive: true })
  })
  const listen = async (python: string): Promise<() => string> => {
    const program = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${python})
print("bound", flush=True)
print(s.recv(100).decode(), flush=True)`
    const child = spawn('python3', ['-c', program])
    listeners.push(child)
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await waitFor('bound', () => text.includes('bound'))
    return () => text
  }
  const path = join(folder, 'socket')
  const name = `flanneld-test-${process.pid}`
  for (const [python, address] of [
    [`"${path}"`, path],
    [`"\\0${name}"`, `@${name}`],
  ] as const) {
    const text = await listen(python)
    t.is(addon().sendUnix(address, Buffer.from('READY=1')), 7)
    await waitFor('datagram', () => text().includes('READY=1'))
  }
  t.is(addon().sendUnix(`/${'x'.repeat(200)}`, new Uint8Array(1)), -36)
  t.is(addon().sendUnix(join(folder, 'nobody'), new Uint8Array(1)), -2)
})
