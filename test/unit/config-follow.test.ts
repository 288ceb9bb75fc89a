// A stored config that this host cannot run yet: it is looked at again, and taken when it can be. In a file of its own: time
// stands still in it.
import { mock } from 'node:test'
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { ConfigFollower } from '../../src/daemon/follow-config.ts'
import { Conditions } from '../../src/health/conditions.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import type { WatchStep } from '../../src/etcd/store.ts'
import type { FollowParts } from '../../src/daemon/follow-parts.ts'
import { createLog } from '../../src/log.ts'

const KEY = '/coreos.com/network/config'
const textOf = (vni: number): string => `{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":${vni}}}`

function stored(vni: number): Exclude<WatchStep, { type: 'disconnected' }> {
  const value = Buffer.from(textOf(vni))
  const entry = { key: KEY, value, createRevision: '5', modRevision: '7', version: '1', lease: '0' }
  return { type: 'snapshot', snapshot: { revision: '7', entries: [entry] } }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('what is in the way of a config is looked for again, told when it is something else, and waited out', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
    mock.timers.reset()
  })
  const inputs = { configuration: readConfiguration(textOf(1), BACKENDS), subnet: '10.2.21.0/24' }
  const conditions = new Conditions()
  const looks: string[] = []
  let inTheWay: (() => string | undefined) | undefined
  let listings = 0
  const overlay = {
    inputs,
    update: (next: Partial<typeof inputs>) => Promise.resolve(void Object.assign(inputs, next)),
  }
  const lines: string[] = []
  const follower = new ConfigFollower(
    {
      options: { etcdPrefix: '/coreos.com/network' },
      ...{ overlay, backends: BACKENDS, conditions, signal: stop.signal },
      obstacleTo: ({ text }: { readonly text: string }) => {
        looks.push(text)
        return Promise.resolve().then(() => inTheWay?.())
      },
      log: createLog('config', 0, (line) => lines.push(line)),
    } as unknown as FollowParts,
    () => listings++,
  )
  const refusals = (): readonly string[] =>
    conditions.all.filter(({ code }) => code === 'config-refused').map(({ text }) => text)
  const later = async (): Promise<void> => {
    mock.timers.tick(3000)
    await turns()
  }

  inTheWay = () => 'the port is taken'
  t.false(await follower.take(stored(2)))
  t.false(await follower.take(stored(2)), 'it is told once')
  t.deepEqual(refusals(), ['the port is taken; keeping the running config'])
  t.is(looks.length, 1)
  await later()
  t.is(looks.length, 2)
  inTheWay = () => {
    throw new Error('read devices: EINTR')
  }
  await later()
  t.deepEqual(refusals(), ['read devices: EINTR; keeping the running config'])
  t.is(lines.filter((line) => line.includes('keeping')).length, 2, lines.join(''))
  inTheWay = undefined
  t.is(listings, 0)
  await later()
  t.is(listings, 1)
  t.true(await follower.take(stored(2)))
  t.is(inputs.configuration.text, textOf(2))
  t.deepEqual(refusals(), [])

  // Another one meanwhile: nothing more is asked of the one before.
  inTheWay = () => 'the port is taken'
  await follower.take(stored(3))
  t.false(await follower.take(stored(2)), 'it says again what is running')
  const before = looks.length
  inTheWay = undefined
  await later()
  t.deepEqual([looks.length, listings], [before, 1])
  t.deepEqual(refusals(), [])
})
