// When a peer reached by IPsec can be sent to: by the associations in the kernel.
import test from 'ava'
import { ConnectedHosts, connectedHosts } from '../../src/kernel/peer-session.ts'
import type { SecurityAssociation } from '../../src/netlink/xfrm-state.ts'
import { address } from '../fake/values.ts'

const OWN = address('192.168.19.121')
const PEER = address('192.168.19.122')
const NOW = 1_700_000_010_000

function pair(since: number): readonly SecurityAssociation[] {
  const rest = { spi: 1, reqid: 11, packets: 0, since }
  return [
    { from: OWN, to: PEER, ...rest },
    { from: PEER, to: OWN, ...rest },
  ]
}

test('a host is connected when there are keys for both directions, and the other end has had time to get them', (t) => {
  t.true(connectedHosts(pair(NOW / 1000 - 2), NOW).has(PEER))
  t.false(connectedHosts(pair(NOW / 1000 - 1), NOW).has(PEER))
  t.false(connectedHosts(pair(NOW / 1000 - 9).slice(0, 1), NOW).has(PEER))
  t.false(connectedHosts(pair(NOW / 1000 - 9).slice(1), NOW).has(PEER))
})

test('many peers are asked for with one reading', async (t) => {
  let readings = 0
  const hosts = new ConnectedHosts(() => {
    readings++
    return Promise.resolve(pair(0))
  })
  t.deepEqual(await Promise.all([PEER, PEER, address('192.168.19.123')].map((host) => hosts.has(host))), [
    true,
    true,
    false,
  ])
  t.is(readings, 1)
})
