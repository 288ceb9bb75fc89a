// Which interface a lease in etcd names as ours at a start.
import { NEITHER, onlySubnet } from '../../src/ip/by-family.ts'
import test from 'ava'
import { hostId } from '../../src/host/host-id.ts'
import { type LeasedInterface, leasedInterface } from '../../src/host/leased-interface.ts'
import type { StoreEntry } from '../../src/etcd/store.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { ip, link } from './external-interface-host.ts'
import { NOTHING, OTHER, OWN, VIRTUAL, hostWith } from './two-cards.ts'

const PREFIX = '/coreos.com/network'
const MACHINE = 'e59e8d5a3b4f4ab6b6f9e6d2e4d36b07'
/** Our identity by the first and by the second card. */
const [FIRST = '', SECOND = ''] = [2, 3].map((index) => hostId(MACHINE, link(index, '').mac, ip(OWN)))
const OURS = '10.2.21.0/24' as Prefix

function entry(subnet: string, publicIp: string, host?: string): StoreEntry {
  const value = { PublicIP: publicIp, PublicIPv6: null, BackendType: 'vxlan', BackendData: {}, HostID: host }
  const key = `${PREFIX}/subnets/${subnet}.0-24`
  return { key, value: Buffer.from(JSON.stringify(value)), createRevision: '1', modRevision: '1', lease: '7' }
}

interface Found {
  readonly found: LeasedInterface | undefined
  readonly ranges: number
}

async function look(entries: readonly StoreEntry[], previous?: Prefix, wish = {}): Promise<Found> {
  let ranges = 0
  const store = {
    get: (key: string) => Promise.resolve({ entry: entries.find((one) => one.key === key), revision: '1' }),
    range: () => {
      ranges++
      return Promise.resolve({ entries, revision: '1' })
    },
  }
  const network = hostWith([VIRTUAL, OWN, OTHER], 3)
  const parts = { etcdPrefix: PREFIX, network, wish: { ...NOTHING, ...wish }, machineId: MACHINE }
  const found = await leasedInterface({
    ...parts,
    previous: previous === undefined ? NEITHER : onlySubnet(previous),
    store: store,
    signal: new AbortController().signal,
  })
  return { found, ranges }
}

test('our lease is found by any card of ours, and names interface, address and identity', async (t) => {
  const others = [entry('10.2.7', '192.168.19.122', 'cd'.repeat(16)), entry('10.2.8', '192.168.19.123')]
  const { found, ranges } = await look([...others, entry('10.2.21', OWN, FIRST)])
  t.like(found, { hostId: FIRST, externals: { ipv4: { name: 'enp0s3', address: OWN, publicAddress: OWN } } })
  t.is(ranges, 1)
  t.like((await look([...others, entry('10.2.21', OWN, SECOND)])).found, {
    hostId: SECOND,
    externals: { ipv4: { address: OWN } },
  })
  t.is((await look(others)).found, undefined)
  t.is((await look([])).found, undefined)
})

test('by the subnet of before it takes one question, and a lease of Go counts where its address is ours', async (t) => {
  const { found, ranges } = await look([entry('10.2.21', OWN)], OURS)
  t.deepEqual([found?.externals.ipv4?.name, ranges], ['enp0s3', 0])
  t.is(found?.hostId, FIRST, 'we write it with the identity of that card, whichever card would be chosen now')
  const second = (await look([entry('10.2.21', OTHER)], OURS)).found
  t.deepEqual(
    [second?.externals.ipv4?.address, second?.hostId],
    [ip(OTHER), hostId(MACHINE, second?.externals.ipv4?.mac, ip(OTHER))],
  )
  t.not(second?.hostId, FIRST)
  t.is((await look([entry('10.2.21', OWN)])).found, undefined, 'without it, no lease of Go is known for ours')
  t.is((await look([entry('10.2.21', '192.168.19.122')], OURS)).found, undefined)
  t.is((await look([entry('10.2.21', OWN, 'cd'.repeat(16))], OURS)).found, undefined, 'another host took it')
})

test('an address that is not on this host is where to go back to; what the operator named leaves no choice', async (t) => {
  const gone = (await look([entry('10.2.21', '192.168.19.77', FIRST)])).found
  t.is(gone?.externals.ipv4, undefined)
  t.deepEqual(gone?.homes.ipv4, { name: 'enp0s3', address: ip('192.168.19.77'), used: false })
  const named = (await look([entry('10.2.21', OWN, FIRST)], undefined, { iface: [OTHER] })).found
  t.deepEqual([named?.externals.ipv4, named?.hostId], [undefined, FIRST])
})

test('an unreadable value in etcd is no lease of ours', async (t) => {
  const broken = ['', '{', 'null', '[]', `"${FIRST}"`, `{"HostID":"${FIRST}"}`].map((text) => ({
    ...entry('10.2.21', OWN),
    value: Buffer.from(text),
  }))
  for (const one of broken) t.is((await look([one], OURS)).found, undefined)
})
