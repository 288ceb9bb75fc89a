// Locks of a network namespace: one process holds a lock, others learn which, however often they ask.
import { spawn } from 'node:child_process'
import test from 'ava'
import { Locks } from '../../src/host/lock.ts'
import { addon } from '../../src/netlink/addon.ts'
import { ERRNO } from '../../src/netlink/errno.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const name = (what: string): string => `test ${what} ${process.pid}`

test('one process holds a lock; another learns which, and gets it when it is released', (t) => {
  const [one, other] = [new Locks(), new Locks()]
  t.is(one.take(name('a')), undefined)
  t.is(one.take(name('a')), undefined, 'again')
  t.is(one.holder(name('a')), undefined, 'ours is held by no other')
  t.is(other.take(name('a'))?.pid, process.pid)
  t.is(other.holder(name('a'))?.pid, process.pid)
  t.is(other.take(name('b')), undefined)
  t.deepEqual(other.names, [name('b')])
  one.keep([])
  t.is(other.holder(name('a')), undefined)
  t.deepEqual(other.names, [name('b')], 'asking takes nothing')
  t.is(other.take(name('a')), undefined)
  other.keep([name('a')])
  t.is(one.take(name('b')), undefined)
  for (const locks of [one, other]) locks.keep([])
})

test('the holder of a lock can be queried a thousand times', async (t) => {
  const ignored: string[] = []
  const [one, other] = [new Locks(), new Locks((lock) => ignored.push(lock))]
  one.take(name('asked'))
  for (let n = 0; n < 1000; n++) {
    if (other.take(name('asked'))?.pid !== process.pid) t.fail(`asked ${n} times`)
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  t.deepEqual(ignored, [])
  one.keep([])
})

test('a lock whose queue is full is held, and the kernel shows by which process', async (t) => {
  const ignored: string[] = []
  const [one, other] = [new Locks(), new Locks((lock) => ignored.push(lock))]
  one.take(name('flooded'))
  const fds: number[] = []
  // Nothing is accepted within this turn.
  for (let fd = 0; fd >= 0 && fds.length < 1000; fds.push(fd)) fd = addon().connectUnix(`@flanneld ${name('flooded')}`)
  t.is(fds.pop(), -ERRNO.EAGAIN)
  t.deepEqual(other.take(name('flooded')), { pid: undefined, uid: process.geteuid?.() })
  t.truthy(other.holder(name('flooded')))
  // A name that forges a line of /proc/net/unix shows nothing.
  const forged = addon().listenUnix(`@x\n0: 2 0 00010000 0001 01 1 @flanneld ${name('flooded')}`)
  t.true(forged >= 0)
  t.is(other.take(name('flooded'))?.uid, process.geteuid?.())
  addon().close(forged)
  t.deepEqual(ignored, [])
  await waitFor('the queue to be taken', () => other.take(name('flooded'))?.pid === process.pid)
  for (const fd of fds) addon().close(fd)
  one.keep([])
})

test('a process that was refused a lock is notified when it is free, and asking does not block others', async (t) => {
  const [one, other, third] = [new Locks(), new Locks(), new Locks()]
  one.take(name('refused'))
  one.take(name('kept'))
  t.truthy(other.take(name('refused')))
  t.truthy(other.take(name('kept')))
  const stop = new AbortController()
  let heard = false
  const freed = other.freed(stop.signal).then(() => (heard = true))
  for (let n = 0; n < 100; n++) await new Promise((resolve) => setImmediate(resolve))
  t.false(heard)
  t.is(other.holder(name('nobody')), undefined)
  one.keep([name('kept')])
  await freed
  t.is(third.take(name('refused')), undefined)
  // Notified once: what it was refused first may not be what it wants now.
  const again = other.freed(stop.signal).then(() => 'ended')
  t.is(await Promise.race([again, new Promise((resolve) => setTimeout(resolve, 200, 'waits'))]), 'waits')
  stop.abort()
  t.is(await again, 'ended')
  for (const locks of [one, third]) locks.keep([])
})

test('a process that is killed leaves no lock', async (t) => {
  const path = new URL('../../src/host/lock.ts', import.meta.url).href
  const program = `const { Locks } = await import('${path}'); new Locks().take('${name('killed')}'); console.log('taken')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  t.teardown(() => child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()))
  await waitFor('the lock to be taken', () => printed.includes('taken'))
  const locks = new Locks()
  t.is(locks.take(name('killed'))?.pid, child.pid)
  child.kill('SIGKILL')
  await waitFor('the lock to be free', () => locks.take(name('killed')) === undefined)
  locks.keep([])
})
