// doctor names the peers that this host has no IPsec keys with.
import test from 'ava'
import type { Facts, HostFacts } from '../../src/doctor/facts.ts'
import type { StoreContent } from '../../src/doctor/stored.ts'
import type { Address } from '../../src/ip/address.ts'
import { OWN, PEER, factsWith, faults, lease, outcome } from '../fake/doctor-facts.ts'

const HERE = '192.168.19.121' as Address
const THERE = '192.168.19.122' as Address
const OUT = { from: HERE, to: THERE }
const BACK = { from: THERE, to: HERE }

function ofIpsec(stored: StoreContent['leases'][number]): StoreContent['leases'][number] {
  const value = JSON.parse(stored.text) as object
  return { ...stored, text: JSON.stringify({ ...value, BackendType: 'ipsec', BackendData: undefined }) }
}

function having(associations: HostFacts['associations']): Facts {
  const leases = [ofIpsec(lease(OWN, HERE, 'own')), ofIpsec(lease(PEER, THERE, 'peer'))]
  const backend = { Type: 'ipsec', PSK: 'f00d'.repeat(24) }
  return factsWith({ backend, leases, host: { associations } })
}

test('a peer with keys for both directions is well', (t) => {
  t.deepEqual(outcome('associations', having({ value: [OUT, BACK] })), { seen: '1 of 1 peers' })
})

test('a peer without them is named, with what was not found and what to look at', (t) => {
  const [fault, ...others] = faults('associations', having({ value: [] }))
  t.deepEqual(others, [])
  t.is(fault?.cause, `this host and ${THERE} have not agreed on IPsec keys: no packet gets to ${PEER} or from there`)
  t.regex(fault?.fix ?? '', /UDP 500, UDP 4500 and IP protocol 50 .* between 192\.168\.19\.121 and 192\.168\.19\.122/)
  t.regex(fault?.proof ?? '', /^no security association 192\.168\.19\.121 to 192\.168\.19\.122, and none /)
})

test('keys for one direction alone are not enough', (t) => {
  const [fault] = faults('associations', having({ value: [OUT] }))
  t.is(fault?.proof, `no security association ${THERE} to ${HERE} (ip xfrm state)`)
})

test('what cannot be read is not called ok, and other backends need none', (t) => {
  t.deepEqual(outcome('associations', having({ unknown: 'EPERM' })), { unchecked: 'EPERM' })
  t.deepEqual(outcome('associations', factsWith()), { seen: 'none is needed' })
})
