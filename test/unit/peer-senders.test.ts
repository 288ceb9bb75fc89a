// Which senders the guard of the VXLAN port admits: those that leases name, as far as they can be trusted.
import test from 'ava'
import { Senders } from '../../src/firewall/nftables/senders.ts'
import { countSenders, sendersOf } from '../../src/overlay/peer-senders.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { address, prefix } from '../fake/values.ts'

const table = (): PeerTable =>
  new PeerTable('/n', {
    family: 4,
    network: prefix('10.2.0.0/16'),
    subnetLen: 24,
    own: undefined,
    publicAddress: address('192.168.19.121'),
    hostId: '0'.repeat(32),
    onlink: [prefix('192.168.19.0/24')],
    parseData: (_type, data) => ({ ok: true, value: data }),
    needs: () => ({ ok: true, value: undefined }),
    exclusive: () => undefined,
  })

let revision = 1
const put = (SourceIP: unknown, n = 22) =>
  ({
    type: 'put',
    entry: {
      key: `/n/subnets/10.2.${n}.0-24`,
      value: Buffer.from(JSON.stringify({ PublicIP: `192.168.19.2${n}`, BackendType: 'vxlan', SourceIP })),
      createRevision: '1',
      modRevision: String(++revision),
      lease: '7',
    },
  }) as const

test('the source a lease names is a sender, and goes with it', (t) => {
  const peers = table()
  const senders = new Senders()
  countSenders(senders, peers.change([put('192.168.19.122')]).changes)
  t.deepEqual([...senders], ['192.168.19.222', '192.168.19.122'])
  countSenders(senders, peers.change([put('192.168.19.123')]).changes)
  t.deepEqual([...senders].toSorted(), ['192.168.19.123', '192.168.19.222'], 'one for each lease')
  t.deepEqual(peers.change([put('192.168.19.123')]).changes, [], 'a renewal')
  countSenders(senders, peers.change([{ type: 'delete', key: '/n/subnets/10.2.22.0-24', modRevision: '99' }]).changes)
  t.deepEqual([...senders], [])
})

test('a source that is no host’s address, or ours, opens nothing; its lease is none the worse', (t) => {
  const wrong = [
    '0.0.0.0',
    '127.0.0.1',
    '224.0.0.5',
    '255.255.255.255',
    '192.168.19.255',
    '10.2.22.1',
    '192.168.19.121',
  ]
  for (const source of [...wrong, '192.168.19.0/24', ['192.168.19.9'], { toString: 1 }, 7, null]) {
    const peers = table()
    peers.change([put(source)])
    t.deepEqual([...peers.peers.values()].flatMap(sendersOf), ['192.168.19.222'], JSON.stringify(source))
    t.is(peers.refused.size, 0)
  }
})
