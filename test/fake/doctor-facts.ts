// A healthy host as doctor sees it, to be changed in one respect: facts by hand, the plan by the real planner.
import { BACKENDS } from '../../backends/index.ts'
import type { ExternalInterface, Peer } from '../../src/backend.ts'
import { CHECKS } from '../../src/doctor/checks.ts'
import type { StoreContent } from '../../src/doctor/stored.ts'
import type { Facts, FirewallFacts, HostFacts } from '../../src/doctor/facts.ts'
import type { Fault, CheckOutcome } from '../../src/doctor/finding.ts'
import { planFrom } from '../../src/doctor/expected-state.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Mac } from '../../src/ip/mac.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { type KernelObject, type KernelState, KINDS, keyOf } from '../../src/kernel/state.ts'
import { parseOptions } from '../../src/options/parse.ts'
import { only, onlySubnet } from '../../src/ip/by-family.ts'

export const OWN = '10.2.21.0/24' as Prefix
export const PEER = '10.2.22.0/24' as Prefix
const MAC = '0a:00:00:00:00:21' as Mac

const EXTERNAL: ExternalInterface = {
  name: 'eth0',
  index: 2,
  mtu: 1500,
  mac: '0a:00:00:00:00:01' as Mac,
  family: 4,
  address: '192.168.19.121' as Address,
  publicAddress: '192.168.19.121' as Address,
  onlink: ['192.168.19.0/24' as Prefix],
}

const EXTERNAL_6: ExternalInterface = {
  ...EXTERNAL,
  family: 6,
  address: 'fd01::121' as Address,
  publicAddress: 'fd01::121' as Address,
  onlink: ['fd01::/64' as Prefix],
}

/** Rules that were not read. */
export const UNREAD: FirewallFacts['iptables'] = {
  4: { unknown: 'not looked at' },
  6: { unknown: 'not looked at' },
}

/** The rules of iptables, and of ip6tables where there are some. */
export function saved(iptables: string, ip6tables?: string): FirewallFacts['iptables'] {
  return { 4: { value: iptables }, 6: ip6tables === undefined ? UNREAD[6] : { value: ip6tables } }
}

/** The lease of the host numbered `n` in two families. */
export function leaseOfBoth(n: number, hostId: string): StoreContent['leases'][number] {
  const data = { VNI: 1, VtepMAC: n === 21 ? MAC : `0a:00:00:00:00:${n}` }
  const value = {
    PublicIP: `192.168.19.${100 + n}`,
    PublicIPv6: `fd01::${100 + n}`,
    BackendType: 'vxlan',
    BackendData: data,
    BackendV6Data: data,
    HostID: hostId,
  }
  const key = `/coreos.com/network/subnets/10.2.${n}.0-24&fd00:2:0:${n}::-64`
  return { key, text: JSON.stringify(value), createRevision: '5', modRevision: '5', etcdLease: '7' }
}

/** A lease as stored. */
export function lease(subnet: string, address: string, hostId?: string, mac = MAC): StoreContent['leases'][number] {
  const data = { PublicIP: address, PublicIPv6: null, BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: mac } }
  return {
    key: `/coreos.com/network/subnets/${subnet.replace('/', '-')}`,
    text: JSON.stringify(hostId === undefined ? data : { ...data, HostID: hostId }),
    createRevision: '5',
    modRevision: '5',
    etcdLease: '7',
  }
}

/** What differs from health. */
export interface Differences {
  readonly backend?: object
  /** Whether the network has IPv6 too, and both hosts subnets of it. */
  readonly two?: boolean
  readonly leases?: StoreContent['leases']
  readonly ttl?: StoreContent['ownTtl']
  readonly shutOut?: StoreContent['shutOut']
  /** Subnets of the peers that its daemon has. */
  readonly believed?: ReadonlySet<Prefix>
  readonly kept?: readonly Peer[]
  readonly host?: Partial<HostFacts>
  readonly facts?: Partial<Facts>
}

/** What etcd has. */
function contentWith({ backend = {}, two = false, leases, ttl, shutOut }: Differences): StoreContent {
  return {
    revision: '9',
    config: JSON.stringify({
      Network: '10.2.0.0/16',
      ...(two ? { EnableIPv6: true, IPv6Network: 'fd00:2::/48' } : {}),
      Backend: { Type: 'vxlan', ...backend },
    }),
    leases: two
      ? [leaseOfBoth(21, 'own'), leaseOfBoth(22, 'peer')]
      : (leases ?? [
          lease(OWN, '192.168.19.121', 'own'),
          lease(PEER, '192.168.19.122', 'peer', '0a:00:00:00:00:22' as Mac),
        ]),
    shutOut: shutOut ?? [],
    ownTtl: ttl ?? { granted: 86_400, remaining: 86_395 },
  }
}

/** The facts of such a host; its daemon does not run. */
export function factsWith(differences: Differences = {}): Facts {
  const { two = false, believed, kept, host = {}, facts = {} } = differences
  const asked = parseOptions([], {})
  if (asked.kind !== 'run') throw new Error('no options')
  const { etcdPassword: _, ...options } = asked.options
  const content = contentWith(differences)
  const plan = planFrom(
    {
      options,
      backends: BACKENDS,
      hostId: 'own',
      externals: two ? { ipv4: EXTERNAL, ipv6: EXTERNAL_6 } : only(4, EXTERNAL),
      nexthops: false,
      kernel: new Map(),
      previous: onlySubnet(OWN),
      deviceMacs: new Map([
        ['flannel.1', MAC],
        ['flannel-v6.1', MAC],
      ]),
      believed,
      kept,
    },
    content,
  )
  const wanted = 'value' in plan ? plan.value.wanted.map(({ object }) => object) : []
  return {
    now: Date.parse('2026-11-21T08:00:00Z'),
    options,
    target: undefined,
    daemon: { state: 'absent', socket: '/run/flannel/flanneld.sock' },
    store: {
      endpoints: [{ url: 'http://127.0.0.1:2379', roundTripMs: 2, error: undefined }],
      content,
      error: undefined,
    },
    endpoints: [{ url: 'http://127.0.0.1:2379', clockAheadMs: 120, certificateEnds: undefined, error: undefined }],
    credentials: undefined,
    host: { ...healthyHost(wanted), ...host },
    plan,
    firewall: { iptables: UNREAD, nft: { unknown: 'not looked at' } },
    probes: { peers: { unknown: 'no daemon' }, checksums: { unknown: 'not probed' } },
    ...facts,
  }
}

function healthyHost(wanted: readonly KernelObject[]): HostFacts {
  const states = new Map(
    KINDS.map((kind): [typeof kind, KernelState] => [
      kind,
      new Map(wanted.filter((object) => object.kind === kind).map((object) => [keyOf(object), object])),
    ]),
  )
  const link = { mac: undefined, up: true, carrier: true, loopback: false, master: 0, kind: '' }
  return {
    hostId: 'own',
    network: {
      links: [
        { ...link, index: 2, name: 'eth0', mtu: 1500 },
        { ...link, index: 3, name: 'flannel.1', mtu: 1450, kind: 'vxlan' },
      ],
      addresses: [{ index: 2, address: EXTERNAL.address, length: 24, scope: 'global', network: undefined }],
      routes: [{ destination: '192.168.19.0/24' as Prefix, index: 2, gateway: undefined, metric: 0, live: true }],
      asked: new Map(),
    },
    externals: { 4: { value: EXTERNAL }, 6: { value: EXTERNAL_6 } },
    kernel: states,
    sysctls: new Map([['net/ipv4/ip_forward', '1']]),
    vxlan: { value: true },
    lacks: { value: [] },
    keyFile: { path: '/run/flannel/wgkey', mode: 0o400 },
    handshakes: new Map(),
    associations: { value: [] },
    udpSockets: [],
    checksumOffload: new Map(),
    subnetEnv: {
      value: {
        networks: onlySubnet('10.2.0.0/16' as Prefix),
        subnets: onlySubnet(OWN),
        mtu: 1450,
        ipMasq: false,
      },
    },
  }
}

/** The result of one check. */
export function outcome(name: string, facts: Facts): CheckOutcome {
  const check = CHECKS.find((one) => one.name === name)
  if (check === undefined) throw new Error(`no check ${name}`)
  return check.run(facts)
}

/** The faults of one check. */
export function faults(name: string, facts: Facts): readonly Fault[] {
  const found = outcome(name, facts)
  return 'faults' in found ? found.faults : []
}

/** A daemon that answers, and knows what is planned. */
export function answering(facts: Facts): Facts['daemon'] {
  const plan = 'value' in facts.plan ? facts.plan.value : undefined
  const own = plan?.own
  return {
    state: 'answers',
    facts: {
      version: '0',
      pid: 1,
      since: 0,
      options: facts.options,
      reasons: [],
      failing: 0,
      conflicts: [],
      running:
        plan === undefined || own === undefined
          ? undefined
          : {
              config: plan.configuration.text,
              own,
              peers: [...plan.peers.values()],
              interfaces: [EXTERNAL].map(({ name, address }) => ({ name, address })),
            },
      firewallError: undefined,
      guardError: undefined,
      store: facts.store,
      health: [],
    },
  }
}
