// A stored config that this host cannot run yet: it is tried again, and taken when it can be. In a file of its own: time
// stands still in it.
import { NEITHER, onlySubnet } from '../../src/ip/by-family.ts'
import { prefix } from '../fake/values.ts'
import { mock } from 'node:test'
import test, { type ExecutionContext } from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { ConfigFollower } from '../../src/daemon/follow-config.ts'
import { Conditions } from '../../src/health/conditions.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import type { WatchStep } from '../../src/etcd/store.ts'
import type { FollowParts } from '../../src/daemon/follow-parts.ts'
import { Events } from '../../src/health/events.ts'
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

/** A follower whose running config has VNI 1, on a host where `obstacle` says what is in the way of another. */
function followerOn(t: ExecutionContext): {
  readonly follower: ConfigFollower
  /** Asked what is in the way; a test changes it. */
  obstacle: (() => string | undefined) | undefined
  /** How often that was asked, and how often a listing was asked for. */
  looks(): number
  listings(): number
  running(): string
  refusals(): readonly string[]
  readonly lines: readonly string[]
} {
  mock.timers.enable({ apis: ['setTimeout'] })
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
    mock.timers.reset()
  })
  const inputs = {
    configuration: readConfiguration(textOf(1), BACKENDS),
    subnets: onlySubnet(prefix('10.2.21.0/24')),
    prepared: new Map<string, string>(),
  }
  const conditions = new Conditions()
  const lines: string[] = []
  const count = { looks: 0, listings: 0 }
  const session = {
    inputs,
    update: (next: Partial<typeof inputs>) => Promise.resolve(void Object.assign(inputs, next)),
  }
  const parts = {
    options: { etcdPrefix: '/coreos.com/network' },
    session,
    backends: BACKENDS,
    conditions,
    signal: stop.signal,
    admits: () => {
      count.looks++
      return Promise.resolve().then(() => host.obstacle?.() ?? NEITHER)
    },
    events: new Events(),
    log: createLog('config', 0, (line) => lines.push(line)),
  } as unknown as FollowParts
  const host: ReturnType<typeof followerOn> = {
    follower: new ConfigFollower(parts, () => count.listings++),
    obstacle: undefined,
    looks: () => count.looks,
    listings: () => count.listings,
    running: () => inputs.configuration.text,
    refusals: () => conditions.all.filter(({ code }) => code === 'config-refused').map(({ text }) => text),
    lines,
  }
  return host
}

/** Time passes until the host is looked at again. */
async function later(): Promise<void> {
  mock.timers.tick(3000)
  await turns()
}

test.serial('a config that the host cannot run yet is refused once, with what is in the way', async (t) => {
  const host = followerOn(t)
  host.obstacle = () => 'the port is taken'
  t.false(await host.follower.take(stored(2)))
  t.false(await host.follower.take(stored(2)), 'it is reported once')
  t.deepEqual(host.refusals(), ['the port is taken; keeping the running config'])
  t.is(host.looks(), 1)
  t.is(host.lines.filter((line) => line.includes('keeping')).length, 1, host.lines.join(''))
})

test.serial('the host is looked at again, and another obstacle is reported', async (t) => {
  const host = followerOn(t)
  host.obstacle = () => 'the port is taken'
  await host.follower.take(stored(2))
  await later()
  t.is(host.looks(), 2)
  host.obstacle = () => {
    throw new Error('read devices: EINTR')
  }
  await later()
  t.deepEqual(host.refusals(), ['read devices: EINTR; keeping the running config'])
  t.is(host.lines.filter((line) => line.includes('keeping')).length, 2, host.lines.join(''))
})

test.serial('once nothing is in the way, a listing is asked for and the config taken', async (t) => {
  const host = followerOn(t)
  host.obstacle = () => 'the port is taken'
  await host.follower.take(stored(2))
  host.obstacle = undefined
  t.is(host.listings(), 0)
  await later()
  t.is(host.listings(), 1)
  t.true(await host.follower.take(stored(2)))
  t.is(host.running(), textOf(2))
  t.deepEqual(host.refusals(), [])
})

test.serial('a refused config is forgotten when the running one is stored again', async (t) => {
  const host = followerOn(t)
  host.obstacle = () => 'the port is taken'
  await host.follower.take(stored(3))
  t.false(await host.follower.take(stored(1)), 'it says again what is running')
  const before = host.looks()
  host.obstacle = undefined
  await later()
  t.deepEqual([host.looks(), host.listings()], [before, 0])
  t.deepEqual(host.refusals(), [])
})
