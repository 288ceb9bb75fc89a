// How a peer of each backend can be probed.
import test from 'ava'
import fc from 'fast-check'
import { alloc } from '../../backends/alloc/index.ts'
import { hostGw } from '../../backends/host-gw/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import { writeRequest } from '../../src/probe/icmp.ts'
import { pathTo } from '../../src/probe/path.ts'
import { ENP0S3, VXLAN_DEFAULTS, address, selfWith, vxlanPeer } from '../fake/values.ts'

const SELF = selfWith(undefined)
const PEER = vxlanPeer(7, 107)
const HOSTS = { source: '192.168.19.121', destination: '192.168.19.107' }

test("vxlan: probes in the tunnel have its MTU, those outside add the tunnel's overhead", (t) => {
  t.deepEqual<unknown, unknown>(pathTo(PEER, SELF, { backend: vxlan, config: VXLAN_DEFAULTS }), {
    via: 'tunnel',
    tunnel: { source: '10.2.21.0', destination: '10.2.7.0', full: 1450 },
    underlay: { ...HOSTS, full: 1500 },
    mtu: 1450,
    outer: 'udp 8472',
    overhead: 50,
    onLink: undefined,
    needs: [
      `fdb flannel.1 ${(PEER.data as { mac: string }).mac}`,
      'neighbor flannel.1 10.2.7.0',
      'route 10.2.7.0/24 0',
    ],
  })
  const config = { ...VXLAN_DEFAULTS, mtu: 1400, port: 4789 }
  t.like(pathTo(PEER, SELF, { backend: vxlan, config }), {
    outer: 'udp 4789',
    tunnel: { full: 1350 },
    underlay: { full: 1400 },
  })
})

test('vxlan with DirectRouting: a peer on our LAN is asked directly, another through the tunnel', (t) => {
  const way = { backend: vxlan, config: { ...VXLAN_DEFAULTS, directRouting: true } }
  t.like(pathTo(PEER, SELF, way), { via: 'direct', tunnel: undefined, underlay: { ...HOSTS, full: 1450 }, outer: '' })
  t.like(pathTo({ ...PEER, publicAddress: address('10.8.0.7') }, SELF, way), { via: 'tunnel', outer: 'udp 8472' })
})

test('host-gw: directly, by the full MTU; alloc: the host, and no size', (t) => {
  t.like(pathTo(PEER, SELF, { backend: hostGw, config: null }), { via: 'direct', underlay: { ...HOSTS, full: 1500 } })
  t.like(pathTo(PEER, SELF, { backend: alloc, config: null }), {
    via: 'elsewhere',
    tunnel: undefined,
    needs: [],
    underlay: { ...HOSTS, full: 0 },
  })
})

test('a peer that packets cannot go to is not probed', (t) => {
  const away = { ...PEER, publicAddress: address('10.8.0.7') }
  t.is(pathTo(away, SELF, { backend: hostGw, config: null }), undefined, 'host-gw, not on our LAN')
  const six = { ...PEER, publicAddress: address('fd00::7') }
  t.is(pathTo(six, { ...SELF, external: ENP0S3 }, { backend: vxlan, config: VXLAN_DEFAULTS }), undefined)
})

test('whatever the MTU, no probe is longer than an IP packet can be', (t) => {
  const backends = [
    { backend: vxlan, config: VXLAN_DEFAULTS },
    { backend: hostGw, config: null },
  ]
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 2 ** 31 }), fc.constantFrom(...backends), (mtu, way) => {
        const path = pathTo(PEER, { ...SELF, external: { ...SELF.external, mtu } }, way)
        for (const lane of [path?.tunnel, path?.underlay]) {
          if (lane === undefined) continue
          const mark = { token: 1, subnet: undefined, silent: false, trial: false, heard: undefined }
          const ends = { source: lane.source, destination: lane.destination, id: 1, sequence: 1, df: true, mark }
          t.is(writeRequest({ ...ends, length: lane.full }).length, lane.full)
        }
      }),
    )
  })
})
