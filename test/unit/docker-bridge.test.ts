// What the daemon says of a docker0 that has another subnet or MTU than leased.
import test from 'ava'
import { DockerBridge, staleBridge } from '../../src/host/docker-bridge.ts'
import type { HostNetwork } from '../../src/kernel/host-network.ts'
import { parseAddress } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { createLog } from '../../src/log.ts'

const NETWORKS = ['10.2.0.0/16' as Prefix]
const LEASED = { subnet: '10.2.21.0/24' as Prefix, mtu: 1450 }

function host(address: string, { mtu = 1450, carrier = true, length = 24, name = 'docker0' } = {}): HostNetwork {
  const parsed = parseAddress(address)
  if (parsed === undefined) throw new Error(address)
  return {
    links: [{ index: 7, name, mtu, mac: undefined, up: true, carrier, loopback: false, master: 0, kind: 'bridge' }],
    addresses: [{ index: 7, address: parsed, length, scope: 'global', network: undefined }],
    routes: [],
    asked: new Map(),
  }
}

for (const [what, network, said] of [
  ['as leased', host('10.2.21.1'), undefined],
  ['no docker0', host('10.2.21.1', { name: 'br-1' }), undefined],
  ['outside the network, on purpose', host('172.17.0.1'), undefined],
  [
    'an old subnet',
    host('10.2.60.1'),
    /^docker0: has 10\.2\.60\.1\/24, leased is 10\.2\.21\.0\/24: peers do not .* restart dockerd$/,
  ],
  ['an old length', host('10.2.21.1', { length: 25 }), /^docker0: has 10\.2\.21\.1\/25, leased/],
  ['an old, larger MTU', host('10.2.21.1', { mtu: 1500 }), /^docker0: has mtu 1500, leased is 1450: large packets/],
  [
    'an old, smaller MTU',
    host('10.2.21.1', { mtu: 1400 }),
    /^docker0: has mtu 1400, leased is 1450: .* smaller packets/,
  ],
  ['no container that would show the MTU', host('10.2.21.1', { mtu: 1500, carrier: false }), undefined],
] as const) {
  test(`docker0: ${what}: ${said === undefined ? 'nothing is said' : 'said, with what to run'}`, (t) => {
    const text = staleBridge(network, LEASED, NETWORKS)?.text
    if (said === undefined) t.is(text, undefined)
    else t.regex(text ?? '', said)
  })
}

test('a difference is reported once, and its end once; former networks count', (t) => {
  const lines: string[] = []
  const bridge = new DockerBridge(
    ['10.1.0.0/16' as Prefix],
    createLog('docker', 0, (line) => lines.push(line)),
  )
  const network = '10.2.0.0/16' as Prefix
  for (const address of ['10.1.3.1', '10.1.3.1', '10.2.21.1', '10.2.21.1'])
    bridge.look(host(address), [network], [LEASED])
  t.is(lines.length, 2, lines.join(''))
  t.regex(lines[0] ?? '', /^W.*docker0: has 10\.1\.3\.1\/24/)
  t.regex(lines[1] ?? '', /^I.*no longer/)
})
