// In which order the guard and the device change: what is guarded before devices change, and after.
import test from 'ava'
import type { Guard, GuardWish } from '../../src/firewall/nftables/guard.ts'
import { GuardOrder, type Receiving } from '../../src/overlay/guard-order.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'

// The pause after a change keeps no process alive; of a test there is nothing else.
const alive = setInterval(() => undefined, 1000)
test.after.always(() => {
  clearInterval(alive)
})

const wish = (vni: number, port = 8472): GuardWish => ({
  vni,
  port,
  families: [{ device: `flannel.${vni}`, network: '10.2.0.0/16' as Prefix, own: [] }],
  allowed: [],
  peers: [],
})

/** An order whose guard records what it receives: "1:8472" for what is guarded, those on their way out after a plus. */
function noted(standing: readonly Receiving[]): { readonly order: GuardOrder; readonly said: string[] } {
  const said: string[] = []
  const text = ({ vni, port }: Receiving): string => `${vni}:${port}`
  const guard: Pick<Guard, 'want' | 'settled'> = {
    want: ([next]) => said.push(next === undefined ? 'none' : [next, ...(next.leaving ?? [])].map(text).join(' + ')),
    settled: () => Promise.resolve(said.push('settled')).then(() => undefined),
  }
  return { order: new GuardOrder(guard as Guard, standing), said }
}

test('at a first start the guard is there, empty, before the device', async (t) => {
  const { order, said } = noted([])
  await order.ahead(wish(1))
  t.deepEqual(said, ['1:8472', 'settled'])
})

test('over a device that is up the guard of the run before stays until the peers are known', async (t) => {
  const { order, said } = noted([{ vni: 1, port: 8472 }])
  await order.ahead(wish(1))
  order.behind(wish(1))
  await order.refresh()
  t.deepEqual(said, [])
  order.senders.add('192.168.19.122' as Address)
  order.complete()
  await order.refresh()
  t.deepEqual(said, ['1:8472', 'settled'])
})

test('over a device of another port or VNI both places are guarded until it is gone', async (t) => {
  for (const standing of [
    { vni: 1, port: 8473 },
    { vni: 2, port: 8472 },
  ]) {
    const { order, said } = noted([standing])
    await order.ahead(wish(1))
    t.deepEqual(said, [`1:8472 + ${standing.vni}:${standing.port}`, 'settled'])
  }
})

test('while it runs, both places are guarded as long as the change lasts, tried again or not', async (t) => {
  const { order, said } = noted([])
  order.complete()
  await order.ahead(wish(1))
  order.behind(wish(1))
  await order.refresh()
  said.length = 0
  await order.ahead(wish(2))
  // A peer that joins meanwhile changes nothing of that, nor does another try.
  await order.refresh()
  await order.ahead(wish(2))
  await order.refresh()
  order.behind(wish(2))
  await order.refresh()
  const both = '2:8472 + 1:8472'
  t.deepEqual(said, [both, 'settled', both, 'settled', both, 'settled', '2:8472', 'settled'])
})

test('a device that goes is guarded until it is gone', async (t) => {
  const { order, said } = noted([])
  order.complete()
  await order.ahead(wish(1))
  order.behind(wish(1))
  said.length = 0
  await order.ahead(undefined)
  await order.refresh()
  order.behind(undefined)
  await order.refresh()
  t.deepEqual(said, ['1:8472', 'settled', 'none', 'settled'])
})
