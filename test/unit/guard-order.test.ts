// In which order the guard and the device change: what is guarded before devices change, and after.
import test from 'ava'
import type { Guard, GuardWish } from '../../src/firewall/nftables/guard.ts'
import type { Arrival } from '../../src/firewall/nftables/arrival.ts'
import { GuardOrder } from '../../src/overlay/guard-order.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'

// The pause after a change keeps no process alive; of a test there is nothing else.
const alive = setInterval(() => undefined, 1000)
test.after.always(() => {
  clearInterval(alive)
})

const vxlan = (vni: number, port = 8472): Arrival => ({ type: 'vxlan', port, vni })

const wishFor = (arrival: Arrival): GuardWish => ({
  devices: [{ arrival, device: 'flannel', network: '10.2.0.0/16' as Prefix, own: [] }],
  allowed: [],
  peers: [],
})

const wish = (vni: number, port?: number): GuardWish => wishFor(vxlan(vni, port))

/** An order whose guard records what it receives: "1:8472" for what is guarded, those on their way out after a plus. */
function noted(standing: readonly Arrival[]): { readonly order: GuardOrder; readonly said: string[] } {
  const said: string[] = []
  const text = (one: Arrival): string =>
    one.type === 'vxlan'
      ? `${one.vni}:${one.port}`
      : one.type === 'udp'
        ? `udp ${one.port}`
        : `protocol ${one.protocol}`
  const guard: Pick<Guard, 'want' | 'settled'> = {
    want: ([next]) =>
      said.push(
        next === undefined
          ? 'none'
          : [...next.devices.map(({ arrival }) => arrival), ...(next.leaving ?? [])].map(text).join(' + '),
      ),
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
  const { order, said } = noted([vxlan(1)])
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
  for (const [standing, text] of [
    [vxlan(1, 8473), '1:8473'],
    [vxlan(2), '2:8472'],
    [{ type: 'udp', port: 8285 }, 'udp 8285'],
    [{ type: 'protocol', protocol: 4 }, 'protocol 4'],
  ] as const) {
    const { order, said } = noted([standing])
    await order.ahead(wish(1))
    t.deepEqual(said, [`1:8472 + ${text}`, 'settled'])
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
