// Helpers are run level-triggered: started, updated, started again after they end, told of peers, stopped.
import test from 'ava'
import type { ForwarderHelper, ForwarderPeer, Helper, HelperPeer } from '../../src/health/outside-kernel.ts'
import { Conditions } from '../../src/health/conditions.ts'
import type { HelperContext, HelperDriver } from '../../src/helpers/driver.ts'
import { Helpers } from '../../src/helpers/supervision.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { createLog } from '../../src/log.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const NETWORK = {}
const WANTED: ForwarderHelper = {
  type: 'forwarder',
  name: 'flannel0',
  self: '10.5.1.0' as Address,
  local: '192.0.2.1' as Address,
  port: 8285,
}
const SUBNET = '10.5.2.0/24' as Prefix
const PEER: HelperPeer = {
  type: 'forwarder',
  name: 'flannel0',
  address: '192.0.2.2' as Address,
  source: undefined,
  port: 8285,
}

/** A driver that notes what it is asked for. `fails` is how many starts are refused at first. */
function bench({ fails = 0, updates = true, makesDevices = false } = {}) {
  const done: string[] = []
  const lines: string[] = []
  const conditions = new Conditions()
  let left = fails
  let last: HelperContext | undefined
  const driver: HelperDriver<ForwarderHelper, ForwarderPeer> = {
    type: 'forwarder',
    makesDevices,
    start(wanted, context) {
      if (left-- > 0) {
        done.push('refused')
        return Promise.reject(new Error('no way'))
      }
      done.push(`start ${wanted.port}`)
      last = context
      return Promise.resolve({
        update(next) {
          done.push(`update ${next.port}`)
          return Promise.resolve(updates)
        },
        peers(all, changed) {
          done.push(`peers ${[...changed].map((subnet) => `${subnet}=${all.get(subnet)?.address}`).join()}`)
        },
        facts: () => ({ packets: 7 }),
        stop(reason) {
          done.push(reason)
          return Promise.resolve()
        },
      })
    },
  }
  const helpers = new Helpers({
    drivers: () => driver,
    types: ['forwarder'],
    conditions,
    strangers: { dropped: true, but: [] },
    log: createLog('test', 0, (line) => lines.push(line)),
  })
  const end = (why: string): void => last?.ended(why)
  const trouble = (why: string | undefined): void => last?.troubled(why)
  return { helpers, done, lines, conditions, end, trouble }
}

async function run(helpers: Helpers, wanted: readonly Helper[]): Promise<void> {
  await helpers.ahead(NETWORK, wanted)
  await helpers.behind()
}

test('a helper starts after the kernel objects, is told the peers when they are known, and later only of those that changed', async (t) => {
  const { helpers, done } = bench()
  t.is(helpers.ahead(NETWORK, [WANTED]), undefined)
  t.deepEqual(done, [])
  await helpers.behind()
  t.deepEqual(done, ['start 8285'])
  helpers.allPeers(NETWORK, [[SUBNET, [PEER]]])
  helpers.peersChanged(NETWORK, [[SUBNET, [PEER]]])
  helpers.peersChanged(NETWORK, [[SUBNET, []]])
  helpers.peersChanged(NETWORK, [[SUBNET, [PEER]]])
  helpers.allPeers(NETWORK, [])
  const tells = [`peers ${SUBNET}=192.0.2.2`, `peers ${SUBNET}=undefined`]
  t.deepEqual(done, ['start 8285', ...tells, ...tells])
  t.like(helpers.status, [{ type: 'forwarder', name: 'flannel0', state: 'running', facts: { packets: 7 } }])
})

test('a helper that makes devices starts before them', async (t) => {
  const { helpers, done } = bench({ makesDevices: true })
  await helpers.ahead(NETWORK, [WANTED])
  t.deepEqual(done, ['start 8285'])
})

test('nothing is done twice for one wish; another one is an update, or a new start where there is none', async (t) => {
  const { helpers, done } = bench()
  await run(helpers, [WANTED])
  await run(helpers, [{ ...WANTED }])
  await run(helpers, [{ ...WANTED, port: 9000 }])
  t.deepEqual(done, ['start 8285', 'update 9000'])
  const other = bench({ updates: false })
  await run(other.helpers, [WANTED])
  await run(other.helpers, [{ ...WANTED, port: 9000 }])
  t.deepEqual(other.done, ['start 8285', 'update 9000', 'unwanted', 'start 9000'])
})

test('one that does not start is a fault until it runs, logged once', async (t) => {
  const { helpers, done, lines, conditions } = bench({ fails: 3 })
  await run(helpers, [WANTED])
  t.deepEqual(helpers.failures, ['forwarder of flannel0: no way'])
  t.like(conditions.all, [{ code: 'helper-down', level: 'fault', gist: 'a helper is down' }])
  await waitFor('the start', () => helpers.failures.length === 0)
  t.deepEqual(done, ['refused', 'refused', 'refused', 'start 8285'])
  t.deepEqual(conditions.all, [])
  t.is(lines.length, 2)
  t.regex(lines[0] ?? '', /forwarder of flannel0: no way; trying again/)
  t.regex(lines[1] ?? '', /forwarder of flannel0: running again/)
})

test('one that ended starts again, and is told of all peers', async (t) => {
  const { helpers, done, end } = bench()
  let changes = 0
  helpers.onChange(() => changes++)
  await run(helpers, [WANTED])
  helpers.allPeers(NETWORK, [[SUBNET, [PEER]]])
  end('killed')
  t.deepEqual(helpers.failures, ['forwarder of flannel0: killed'])
  await waitFor('the start', () => helpers.failures.length === 0)
  t.deepEqual(done.slice(2), ['unwanted', 'start 8285', `peers ${SUBNET}=192.0.2.2`])
  t.is(helpers.status[0]?.restarts, 1)
  t.is(changes, 3)
})

test('one that no network wants is stopped after the kernel objects, and its end before that is no fault', async (t) => {
  const { helpers, done, end, lines } = bench()
  await run(helpers, [WANTED])
  await helpers.ahead(NETWORK, [])
  end('its device is gone')
  t.deepEqual(helpers.failures, [])
  await helpers.behind()
  t.deepEqual(helpers.status, [])
  t.deepEqual(done, ['start 8285', 'unwanted'])
  t.deepEqual(lines, [])
})

test('the end of the daemon says so to each', async (t) => {
  const { helpers, done } = bench()
  await run(helpers, [WANTED])
  await helpers.stop()
  t.deepEqual(done, ['start 8285', 'daemon-ends'])
})

test('what one cannot do though it runs is a fault until it can, or is started again, or no network wants it', async (t) => {
  const { helpers, conditions, trouble } = bench({ updates: false })
  const says = { code: 'helper-troubled', level: 'fault', text: 'forwarder of flannel0: no way' } as const
  await run(helpers, [WANTED])
  trouble('no way')
  t.like(conditions.all, [says])
  t.deepEqual(helpers.failures, [])
  trouble(undefined)
  t.deepEqual(conditions.all, [])
  trouble('no way')
  await run(helpers, [{ ...WANTED, port: 9000 }])
  t.deepEqual(conditions.all, [])
  trouble('no way')
  t.like(conditions.all, [says])
  await run(helpers, [])
  t.deepEqual(conditions.all, [])
})
