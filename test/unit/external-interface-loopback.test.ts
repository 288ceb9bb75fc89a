// Hosts of a fabric have their address on loopback, and reach each other by whichever card is up.
import test from 'ava'
import { OperatorError } from '../../src/errors.ts'
import type { InterfaceWish } from '../../src/host/interface-candidate.ts'
import { chooseExternalInterface, isUsable } from '../../src/host/external-interface.ts'
import { HOST, address, route } from './external-interface-host.ts'

const wish = (iface: string): InterfaceWish => ({
  iface: [iface],
  ifaceRegex: [],
  ifaceCanReach: undefined,
  publicIp: undefined,
  publicIpv6: undefined,
})
const host = { ...HOST, addresses: [...HOST.addresses, address(1, '198.51.100.9/32')] }

test('a global address on loopback goes with the interface that packets leave by, and its MTU', (t) => {
  for (const iface of ['lo', '198.51.100.9']) {
    const chosen = chooseExternalInterface(host, wish(iface), 4)
    if (chosen instanceof OperatorError) throw chosen
    t.like(chosen, { name: 'enp0s3', address: '198.51.100.9', mtu: 1500 })
    t.true(isUsable(host, wish(iface), { ...chosen, used: true }), 'it is kept')
  }
})

test('without a default route it is the interface of any route through a gateway; without one, none', (t) => {
  const fabric = { ...host, routes: [route('198.51.100.0/24', 3, '10.9.0.254')] }
  t.like(chooseExternalInterface(fabric, wish('lo'), 4), { name: 'enp0s8', address: '198.51.100.9' })
  const alone = chooseExternalInterface({ ...host, routes: [] }, wish('lo'), 4)
  t.regex(String(alone), /198\.51\.100\.9 is there, but no route leads to other hosts/)
})
