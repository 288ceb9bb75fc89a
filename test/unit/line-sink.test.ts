// The log's stream without a reader, when it is full, and when its reader comes back.
import test from 'ava'
import { Writable } from 'node:stream'
import { LineSink } from '../../src/process/line-sink.ts'

/** A stream that does with each chunk what `take` says. */
function streamOf(take: (text: string, done: (error?: Error | null) => void) => void): Writable {
  return new Writable({
    autoDestroy: false,
    write: (chunk: Buffer, _, done) => {
      take(chunk.toString(), done)
    },
  })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const broken = (code: string): Error => Object.assign(new Error(code), { code })

test('lines that cannot be written are counted, and the first line that passes reports them', async (t) => {
  let full = false
  const written: string[] = []
  // Node keeps the streams of standard output and error alive after an error; any other is of no use then.
  const stream: ConstructorParameters<typeof LineSink>[0] = {
    writableLength: 0,
    on: () => undefined,
    write(text, done) {
      if (!full) written.push(text)
      queueMicrotask(() => {
        done(full ? broken('ENOSPC') : null)
      })
    },
  }
  const sink = new LineSink(stream, (lost, why) => {
    sink.write(`${lost} lost: ${why}`)
  })
  for (const line of ['one', 'two', 'three', 'four', 'five']) {
    full = line === 'two' || line === 'three'
    sink.write(line)
    await turn()
  }
  t.deepEqual(written, ['one', 'four', '2 lost: ENOSPC', 'five'])
  t.is(sink.lost, 0)
})

test('a stopped reader costs a bounded amount of memory, and later learns how many lines it missed', async (t) => {
  const waiting: (() => void)[] = []
  const said: string[] = []
  const stream = streamOf((_, done) => void waiting.push(done))
  const sink = new LineSink(stream, (lost, why) => said.push(`${lost} lost: ${why}`), 1000)
  for (let i = 0; i < 100; i++) sink.write(`${'x'.repeat(99)}\n`)
  t.true(stream.writableLength <= 1100)
  t.is(sink.lost, 100 - stream.writableLength / 100)
  const { lost } = sink
  while (stream.writableLength > 0) {
    waiting.shift()?.()
    await turn()
  }
  t.deepEqual(said, [`${lost} lost: the reader is too slow`])
  t.is(sink.lost, 0)
})

test('a stream that throws or fails does not end anything', async (t) => {
  const throwing = streamOf(() => {
    throw broken('EIO')
  })
  const sink = new LineSink(throwing, () => t.fail())
  t.notThrows(() => {
    sink.write('one\n')
  })
  const failing = streamOf((_, done) => {
    done(broken('EPIPE'))
  })
  const other = new LineSink(failing, () => t.fail())
  for (let i = 0; i < 5; i++) other.write('one\n')
  await turn()
  t.true(sink.lost >= 1)
  t.is(other.lost, 5)
})
