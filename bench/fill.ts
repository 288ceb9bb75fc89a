// Puts leases of made-up peers into an etcd: `node bench/fill.ts ENDPOINT PREFIX COUNT [FROM [GENERATION]]`. Subnets are
// /24 of 10.0.0.0/8 from 10.1.0.0 on, hosts are addresses of 172.16.0.0/12: numbers only, to which no host of a bench has a route.
import { openStore } from '../src/etcd/client.ts'
import { peerLease } from './peer-lease.ts'

const [endpoint = '', prefix = '', count = '0', from = '0', generation = '0'] = process.argv.slice(2)
const store = openStore({ endpoints: [endpoint] })
const lease = await store.grant(86_400)
const end = Number(from) + Number(count)
for (let at = Number(from); at < end; at += 128) {
  const writes = []
  for (let i = at; i < Math.min(at + 128, end); i++) {
    writes.push({ type: 'put', lease, ...peerLease(prefix, i, Number(generation)) } as const)
  }
  await store.commit([], writes)
}
store.close()
