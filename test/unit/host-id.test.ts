import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { hostId, readMachineId } from '../../src/host/host-id.ts'
import type { Address } from '../../src/ip/address.ts'
import { parseMac } from '../../src/ip/mac.ts'

const MACHINE = '4f1c0f5dd9c04c6c9a5c1b1f6f1e2d3c\n'
const MAC = parseMac('02:00:00:00:00:01')
const A = '192.168.19.121' as Address
const B = '192.168.19.122' as Address

test('the host id is the same at every start: 32 hex digits, this one for this host', (t) => {
  t.is(hostId(MACHINE, MAC, A), hostId(MACHINE, MAC, A))
  // Written down: an upgrade that changed it would make every host a stranger to its own lease.
  t.is(hostId(MACHINE, MAC, A), '26e9353a0984f51c6699cedea429d9bc')
})

test('a changed address does not change the id', (t) => {
  t.is(hostId(MACHINE, MAC, A), hostId(MACHINE, MAC, B))
})

test('cloned machines and namespaces of one machine are distinguished by the MAC, or by the address without one', (t) => {
  t.not(hostId(MACHINE, MAC, A), hostId(MACHINE, parseMac('02:00:00:00:00:02'), A))
  t.not(hostId(MACHINE, undefined, A), hostId(MACHINE, undefined, B))
})

test('machines with the same MAC are distinguished by their machine id', (t) => {
  t.not(hostId(MACHINE, MAC, A), hostId('00000000000000000000000000000001', MAC, A))
})

test('an absent, empty or not yet initialised machine id counts for nothing; blanks and case do not matter', (t) => {
  const none = hostId(undefined, MAC, A)
  t.deepEqual(
    ['', '\n', 'uninitialized\n'].map((text) => hostId(text, MAC, A)),
    [none, none, none],
  )
  t.is(hostId(`  ${MACHINE.toUpperCase()}`, MAC, A), hostId(MACHINE, MAC, A))
})

test('the machine id itself is not in the host id', (t) => {
  t.false(hostId(MACHINE, MAC, A).includes(MACHINE.trim().slice(0, 8)))
})

test('the machine-id file is read, and may be absent or a directory', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'host-id-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'machine-id'), MACHINE)
  t.is(await readMachineId(join(folder, 'machine-id')), MACHINE)
  t.is(await readMachineId(join(folder, 'absent')), undefined)
  t.is(await readMachineId(folder), undefined)
})
