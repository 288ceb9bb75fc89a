// The rows of the matrix of backends and families. docs/backends.md shows them (`make docs`); test/matrix tests them.
import type { Family } from '../../../src/ip/address.ts'
import { IPSEC_ROW } from './matrix-ipsec.ts'
import type { MatrixHost, Taken } from './matrix-host.ts'
import type { Harm, Kernel, Lease, Left, Row } from './matrix-row.ts'

function everywhere(kernel: Kernel): Row['cells'] {
  return { fresh: kernel, takeover: kernel, 'live change': kernel, restart: kernel, damage: kernel }
}

const GO_HAS_NO_IPV6_ALONE = { why: "Go's flanneld does not run with IPv6 alone on etcd" } as const

/** What a host's routes suffer, whatever made them. */
function routeHarms(families: readonly Family[]): readonly Harm[] {
  return families.map((family) => ({
    fault: `IPv${family} route deleted`,
    script: (_own, peer) => `ip -${family} route del ${subnetOf(peer, family)}`,
  }))
}

/** What a device of ours suffers. */
function deviceHarms(device: string): readonly Harm[] {
  return [
    { fault: `${device} deleted`, script: () => `ip link del ${device}` },
    { fault: `${device} down`, script: () => `ip link set ${device} down` },
    { fault: `MTU of ${device} changed`, script: () => `ip link set ${device} mtu 1300` },
    { fault: `addresses of ${device} flushed`, script: () => `ip addr flush dev ${device}` },
  ]
}

function subnetOf({ subnets }: Pick<MatrixHost, 'subnets'>, family: Family): string {
  const subnet = subnets[family]
  if (subnet === undefined) throw new Error(`no IPv${family} subnet`)
  return subnet
}

/** "10.2.21.0" of "10.2.21.0/24". */
function baseOf(host: Pick<MatrixHost, 'subnets'>, family: Family): string {
  return subnetOf(host, family).replace(/\/.*/, '')
}

const PLAIN = { options: {}, args: '', prepare: '' }

const VXLAN_DEVICE: Readonly<Record<Family, string>> = { 4: 'flannel.1', 6: 'flannel-v6.1' }
const GO_MACS: Readonly<Record<Family, string>> = { 4: 'c6:d2:32:6f:8f:44', 6: 'c6:d2:32:6f:8f:46' }

/** Entries of a VXLAN host for one peer, as they are found on the peer's device. */
function vxlanHarms(family: Family): readonly Harm[] {
  const device = VXLAN_DEVICE[family]
  return [
    ...deviceHarms(device),
    {
      fault: `neighbour of ${device} deleted`,
      script: (_own, peer) => `ip -${family} neigh del ${baseOf(peer, family)} dev ${device}`,
    },
    {
      fault: `FDB entries of ${device} deleted`,
      script: () =>
        `bridge fdb show dev ${device} | while read -r mac rest; do bridge fdb del $mac dev ${device}; done`,
    },
  ]
}

function vxlanLeft(families: readonly Family[]): Left {
  const data = { VNI: 1, VtepMAC: GO_MACS[4] }
  return {
    mtu: families.includes(6) ? 1430 : 1450,
    lease: {
      BackendType: 'vxlan',
      ...(families.includes(4) ? { BackendData: data } : {}),
      ...(families.includes(6) ? { BackendV6Data: { VNI: 1, VtepMAC: GO_MACS[6] } } : {}),
    },
    script: (taken, peer, lease) =>
      families
        .map((family) => {
          const device = VXLAN_DEVICE[family]
          const [bits, local, remote] =
            family === 4 ? [32, taken.host.address, peer.host.address] : [128, taken.host.address6, peer.host.address6]
          const far = baseOf(peer, family)
          const { VtepMAC: mac } = lease[family === 4 ? 'BackendData' : 'BackendV6Data'] as { readonly VtepMAC: string }
          return `ip link add ${device} address ${GO_MACS[family]} mtu ${family === 4 ? 1450 : 1430} type vxlan id 1 dev enp0s3 local ${local} dstport 8472 nolearning
            ip addr add ${baseOf(taken, family)}/${bits} dev ${device} ${family === 6 ? 'nodad' : ''}
            ip link set ${device} up
            ip neigh add ${far} lladdr ${mac} nud permanent dev ${device}
            bridge fdb add ${mac} dev ${device} dst ${remote} self permanent
            ip -${family} route add ${subnetOf(peer, family)} via ${far} dev ${device} onlink`
        })
        .join('\n'),
  }
}

function vxlanRow(families: readonly Family[]): Row {
  const alone = families.includes(4) ? {} : { takeover: GO_HAS_NO_IPV6_ALONE }
  return {
    ...PLAIN,
    type: 'vxlan',
    families,
    cells: { ...everywhere('this'), 'live change': { why: 'it is the backend that the others change from' }, ...alone },
    left: vxlanLeft(families),
    harms: [...routeHarms(families), ...families.flatMap(vxlanHarms)],
  }
}

/** Its leases and entries are those of vxlan, and what Go's flanneld left is that. Probes are quick, so that the way changes in between. */
function autoRow(families: readonly Family[]): Row {
  const row = vxlanRow(families)
  return { ...row, type: 'auto', args: '-probe-interval=1', cells: { ...row.cells, 'live change': 'this' } }
}

function hostGwRow(families: readonly Family[]): Row {
  const alone = families.includes(4) ? {} : { takeover: GO_HAS_NO_IPV6_ALONE }
  return {
    ...PLAIN,
    type: 'host-gw',
    families,
    cells: { ...everywhere('this'), ...alone },
    left: {
      mtu: 1500,
      lease: { BackendType: 'host-gw' },
      script: (_taken, peer) =>
        families
          .map((family) => {
            const gateway = family === 4 ? peer.host.address : peer.host.address6
            return `ip -${family} route add ${subnetOf(peer, family)} via ${gateway} dev enp0s3`
          })
          .join('\n'),
    },
    harms: [
      ...routeHarms(families),
      {
        fault: 'uplink down and up',
        // The kernel takes IPv6 addresses from a device that goes down; on a host its network configuration brings them back.
        script: ({ host }) =>
          `ip link set enp0s3 down; ip link set enp0s3 up; ip addr replace ${host.address6}/64 dev enp0s3 nodad`,
      },
    ],
  }
}

function ipipRow(): Row {
  return {
    ...PLAIN,
    type: 'ipip',
    families: [4],
    // User-Mode Linux has neither the nft tables of the guard nor those of iptables.
    args: '-iptables-forward-rules=false -vxlan-guard=false',
    prepare: 'modprobe ipip',
    cells: everywhere('uml'),
    left: {
      mtu: 1480,
      lease: { BackendType: 'ipip' },
      script: (taken, peer) => `ip link add flannel.ipip type ipip local ${taken.host.address} nopmtudisc
        ip addr add ${baseOf(taken, 4)}/32 dev flannel.ipip
        ip link set flannel.ipip mtu 1480 up
        ip route add ${subnetOf(peer, 4)} via ${peer.host.address} dev flannel.ipip onlink`,
    },
    harms: [
      ...routeHarms([4]),
      ...deviceHarms('flannel.ipip'),
      {
        fault: 'local address of flannel.ipip changed',
        script: () => 'ip link set flannel.ipip type ipip local 192.168.19.99',
      },
    ],
  }
}

/** A key pair as `wg genkey` makes it: that of the host that Go's flanneld ran on. */
const GO_KEY = {
  secret: '0NP6NhdIVL4qSoWfHMv3wcXX2IG8AiFSqntwSD/Z7V0=',
  open: 'bfxQhGMmItR6z2qJpz1zN53VjJAR9lyJgC/4Q8iDtB0=',
}
const WIREGUARD_DEVICE: Readonly<Record<Family, string>> = { 4: 'flannel-wg', 6: 'flannel-wg-v6' }
const WIREGUARD_PORT: Readonly<Record<Family, number>> = { 4: 51820, 6: 51821 }

function wireguardHarms(family: Family): readonly Harm[] {
  const device = WIREGUARD_DEVICE[family]
  const peer = `peer $(wg show ${device} peers | head -n 1)`
  return [
    ...deviceHarms(device),
    { fault: `peer of ${device} removed`, script: () => `wg set ${device} ${peer} remove` },
    { fault: `prefixes of a peer of ${device} removed`, script: () => `wg set ${device} ${peer} allowed-ips ''` },
    { fault: `port of ${device} changed`, script: () => `wg set ${device} listen-port 12345` },
    {
      fault: `key of ${device} changed`,
      script: () => `wg genkey >/run/other.key; wg set ${device} private-key /run/other.key`,
    },
    { fault: `another peer on ${device}`, script: () => `wg set ${device} peer $(wg genkey | wg pubkey)` },
  ]
}

/** In the kernel of Debian, which this machine's lacks. */
function wireguardRow(families: readonly Family[]): Row {
  const data = (family: Family): object => ({ PublicKey: GO_KEY.open, Port: WIREGUARD_PORT[family] })
  return {
    ...PLAIN,
    type: 'wireguard',
    families,
    prepare: 'modprobe wireguard',
    cells: everywhere('bookworm'),
    left: {
      mtu: 1420,
      lease: {
        BackendType: 'wireguard',
        ...(families.includes(4) ? { BackendData: data(4) } : {}),
        ...(families.includes(6) ? { BackendV6Data: data(6) } : {}),
      },
      script: (taken, peer, lease) =>
        [
          `(umask 377; printf %s '${GO_KEY.secret}' >/run/flannel/wgkey)`,
          ...families.map((family) => wireguardLeft(family, taken, peer, lease)),
        ].join('\n'),
    },
    harms: [...routeHarms(families), ...families.flatMap(wireguardHarms)],
  }
}

function wireguardLeft(family: Family, taken: Taken, peer: MatrixHost, lease: Lease): string {
  const device = WIREGUARD_DEVICE[family]
  const [network, bits, remote] =
    family === 4 ? ['10.2.0.0/16', 32, peer.host.address] : ['fd00:10:2::/48', 128, `[${peer.host.address6}]`]
  const { PublicKey: key } = lease[family === 4 ? 'BackendData' : 'BackendV6Data'] as { readonly PublicKey: string }
  return `ip link add ${device} mtu 1420 type wireguard
    wg set ${device} private-key /run/flannel/wgkey listen-port ${WIREGUARD_PORT[family]}
    wg set ${device} peer ${key} endpoint ${remote}:${WIREGUARD_PORT[family]} allowed-ips ${subnetOf(peer, family)}
    ip addr add ${baseOf(taken, family)}/${bits} dev ${device}
    ip link set ${device} up
    ip route add ${network} dev ${device}`
}

function programHarm(device: string): Harm {
  return { fault: `wireguard-go of ${device} killed`, script: () => `kill -9 $(pgrep -f 'wireguard-go ${device}$')` }
}

/** By the program, on this machine's kernel. */
function wireguardGoRow(families: readonly Family[]): Row {
  return {
    ...wireguardRow(families),
    variant: 'wireguard-go',
    args: '-wireguard-go=/usr/bin/wireguard-go',
    prepare: '',
    cells: { ...everywhere('this'), takeover: { why: "Go's flanneld does not use wireguard-go" } },
    harms: [
      ...routeHarms(families),
      ...families.flatMap(wireguardHarms),
      ...families.map((family) => programHarm(WIREGUARD_DEVICE[family])),
    ],
  }
}

function udpRow(): Row {
  return {
    ...PLAIN,
    type: 'udp',
    families: [4],
    cells: {
      ...everywhere('this'),
      takeover: {
        why: "Go's device is gone with Go's process, so its stop cuts traffic: test/faults/udp-backend.test.ts checks that lease, subnet and env are kept, and that traffic flows again",
      },
    },
    harms: [
      ...routeHarms([4]),
      ...deviceHarms('flannel0'),
      { fault: 'forwarder killed', script: () => 'pkill -9 -x flannel-fwd' },
    ],
  }
}

/** A row without a tested cell. */
function explainedRow(type: string, families: readonly Family[], why: string): Row {
  const cell = { why }
  const cells = { fresh: cell, takeover: cell, 'live change': cell, restart: cell, damage: cell }
  return { ...PLAIN, type, families, cells, harms: [] }
}

/** The families of the rows of a backend that carries both. */
const FAMILY_SETS: readonly (readonly Family[])[] = [[4], [4, 6], [6]]

/** All of them, in the order of docs/backends.md. */
export const ROWS: readonly Row[] = [
  ...FAMILY_SETS.map(vxlanRow),
  ...FAMILY_SETS.map(hostGwRow),
  ...FAMILY_SETS.map(autoRow),
  explainedRow('alloc', [4, 6], 'it forwards nothing: there is nothing to lose, to damage or to take over'),
  wireguardRow([4, 6]),
  ...FAMILY_SETS.map(wireguardGoRow),
  ipipRow(),
  udpRow(),
  explainedRow('extension', [4], "the operator's commands make it: test/faults/extension-backend.test.ts has Go's own"),
  IPSEC_ROW,
  ...['udp', 'ipip', 'ipsec'].map((type) =>
    explainedRow(type, [4, 6], "it carries IPv4 only, as in Go's flanneld; a config that asks for IPv6 is refused"),
  ),
]

/** The rows of one backend. */
export function rowsOf(type: string): readonly Row[] {
  return ROWS.filter((row) => row.type === type)
}
