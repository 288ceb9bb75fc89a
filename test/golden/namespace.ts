// A network namespace for each test, with an underlay and a kernel connection into it.
import anyTest, { type TestFn } from 'ava'
import { LiveKernel } from '../../src/kernel/live.ts'
import { addCard } from '../lab/world/card.ts'
import { type Space, createSpace } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** A test function that gives each test a namespace with eth0 (192.168.19.121/24, its far end eth1) and a kernel for it. */
export function inNamespace(): TestFn<{ space: Space; kernel: LiveKernel }> {
  const test = anyTest as TestFn<{ space: Space; kernel: LiveKernel }>
  test.beforeEach(async (t) => {
    const space = await createSpace('kernel')
    const kernel = new LiveKernel(`/proc/${space.pid}/ns/net`)
    t.context = { space, kernel }
    await addCard(space, 'eth0', ['192.168.19.121/24'], 'eth1')
    // The kernel reports the carrier up to a second later; a test that starts before would receive it among its own changes.
    await waitFor('carrier', async () => (await space.run('ip -o link show up')).split('state UP').length === 3)
  })
  test.afterEach.always(async (t) => {
    t.context.kernel.close()
    await t.context.space.close()
  })
  return test
}
