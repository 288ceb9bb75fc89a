// What holds for the interface whatever changes, and which devices are looked at for it.
import test from 'ava'
import fc from 'fast-check'
import { OperatorError } from '../../src/errors.ts'
import type { InterfaceWish } from '../../src/host/interface-candidate.ts'
import { chooseExternalInterface } from '../../src/host/external-interface.ts'
import type { Place } from '../../src/kernel/host-network.ts'
import { type Held, LEAVE_AFTER_MS, concernsInterface, decideInterface } from '../../src/host/keep-interface.ts'
import { ip } from './external-interface-host.ts'
import { NOTHING, OTHER, OWN, VIRTUAL, hostWith } from './two-cards.ts'

test('whatever changes, a usable address is left only for the leased one, and another is taken only after the full wait', (t) => {
  const event = fc.record({
    pause: fc.integer({ min: 1, max: 4000 }),
    has: fc.shuffledSubarray([OWN, VIRTUAL, OTHER]),
    uplink: fc.constantFrom(2, 3),
    down: fc.subarray([2, 3]),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const first = chooseExternalInterface(hostWith([OWN, OTHER]), NOTHING, 4)
      if (first instanceof OperatorError) throw first
      let held: Held = { external: first, home: undefined, goneSince: undefined }
      let now = 0
      let lastHere = 0
      for (const { pause, has, uplink, down } of events) {
        now += pause
        const host = hostWith(has, uplink, down)
        const before = held
        const here = before.external.address
        const usable = has.includes(here) && !down.includes(here === OTHER ? 3 : 2)
        if (usable) lastHere = now
        const { decision, held: next } = decideInterface(host, NOTHING, before, now)
        held = next
        if (decision.type !== 'change') t.is(next.external.address, here)
        else if (decision.external.address !== before.home?.address) {
          t.false(usable)
          t.true(now - lastHere >= LEAVE_AFTER_MS)
        }
        if (usable)
          t.true(
            decision.type === 'keep' ||
              (decision.type === 'change' && before.home?.address === decision.external.address),
          )
        if (decision.type === 'change') lastHere = now
      }
    }),
  )
})

test('the interface in use counts under any name, and so do the one we left, named ones, and one that has our address', (t) => {
  const external = chooseExternalInterface(hostWith([OWN]), NOTHING, 4)
  if (external instanceof OperatorError) throw external
  const told = (device: string, own?: string, wish: Partial<InterfaceWish> = {}, home?: Place): boolean =>
    concernsInterface({ external, home }, { ...NOTHING, ...wish }, device, own === undefined ? undefined : ip(own))
  for (const name of ['br-mgmt', 'docker-lan', 'veth7', 'flannel.9', 'cni0']) {
    t.false(told(name), name)
    t.true(concernsInterface({ external: { ...external, name }, home: undefined }, NOTHING, name), name)
    t.true(told(name, undefined, {}, { name, address: ip(OTHER), used: true }), name)
    t.true(told(name, undefined, { iface: ['eth9', name] }), name)
    t.true(told(name, undefined, { ifaceRegex: [`^${name.slice(0, 3)}`] }), name)
    t.true(told(name, OWN), `our address moves to ${name}`)
    t.true(told(name, VIRTUAL, { publicIp: ip(VIRTUAL) }), name)
    t.false(told(name, VIRTUAL), name)
  }
  t.true(told('enp0s8'), 'it may become ours')
})
