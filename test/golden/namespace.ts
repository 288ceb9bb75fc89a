// A network namespace for each test, with an underlay and a kernel connection into it.
import anyTest, { type TestFn } from 'ava'
import { LiveKernel } from '../../src/kernel/live.ts'
import { type Space, createSpace } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** A test function that gives each test a namespace with eth0 (192.168.19.121/24, its peer eth1) and a kernel for it. */
export function inNamespace(): TestFn<{ space: Space; kernel: LiveKernel }> {
  const test = anyTest as TestFn<{ space: Space; kernel: LiveKernel }>
  test.beforeEach(async (t) => {
    const space = await createSpace('kernel')
    const kernel = new LiveKernel(`/proc/${space.pid}/ns/net`)
    t.context = { space, kernel }
    await space.run(`ip link add eth0 type veth peer name eth1 && ip link set eth1 up && ip link set eth0 up
      ip addr add 192.168.19.121/24 dev eth0`)
    // The kernel tells of a carrier up to a second later; a test that begins before would be told of it amid its own changes.
    await waitFor('carrier', async () => (await space.run('ip -o link show up')).split('state UP').length === 3)
  })
  test.afterEach.always(async (t) => {
    t.context.kernel.close()
    await t.context.space.close()
  })
  return test
}
