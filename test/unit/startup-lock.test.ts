// A start next to a daemon that stops continues when that daemon ends, not at its next read of the config. In a file
// of its own: time stands still in it.
import { mock } from 'node:test'
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { Conditions } from '../../src/health/conditions.ts'
import type { Store } from '../../src/etcd/store.ts'
import { createLog } from '../../src/log.ts'
import { parseOptions } from '../../src/options/parse.ts'
import { awaitConfiguration } from '../../src/daemon/startup.ts'

test('a start that another daemon holds up continues when that daemon ends', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => {
    mock.timers.reset()
  })
  const stop = new AbortController()
  const run = parseOptions([], {})
  if (run.kind !== 'run') return t.fail()
  const entry = { key: '/coreos.com/network/config', value: Buffer.from('{"Network":"10.2.0.0/16"}'), modRevision: '7' }
  const store = {
    get: () => Promise.resolve({ entry }),
    // The config is not written.
    watch: (_: string, signal: AbortSignal) =>
      (async function* () {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve)
        })
        yield* []
      })(),
  }
  const [looks, lines, codes]: [string[], string[], string[]] = [[], [], []]
  let ended = (): void => undefined
  const other = new Promise<void>((resolve) => (ended = resolve))
  const configuration = awaitConfiguration({
    store: store as unknown as Store,
    options: run.options,
    backends: BACKENDS,
    obstacleTo: () => Promise.resolve(looks.push('look') === 1 ? 'another flanneld has it' : undefined),
    conditions: new Conditions(),
    freed: () => other,
    onWaiting: (code) => codes.push(code),
    log: createLog('config', 0, (line) => lines.push(line)),
    signal: stop.signal,
  })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(looks, ['look'])
  t.regex(lines.join(''), /another flanneld has it; waiting/)
  t.deepEqual(codes, ['config-refused'])
  ended()
  const first = await Promise.race([configuration, turns(100)])
  t.not(first, 'turns', 'it waits for more than the other daemon')
  t.deepEqual(looks, ['look', 'look'])
})

async function turns(n: number): Promise<'turns'> {
  for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve))
  return 'turns'
}
