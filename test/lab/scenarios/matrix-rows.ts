// The rows of the matrix of backends and families. docs/backends.md shows them (`make docs`); test/matrix tests them.
import type { Family } from '../../../src/ip/address.ts'
import { IPSEC_ROW } from './matrix-ipsec.ts'
import { GO_HAS_NO_IPV6_ALONE, PLAIN, baseOf, deviceHarms, everywhere, routeHarms, subnetOf } from './matrix-harms.ts'
import { wireguardGoRow, wireguardRow } from './matrix-wireguard.ts'
import type { Harm, Left, Row } from './matrix-row.ts'

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
  const settled = families.map((family) => `ip -${family} route show proto 142 | grep -q 'dev enp0s3'`).join(' && ')
  return { ...row, type: 'auto', args: '-probe-interval=1', settled, cells: { ...row.cells, 'live change': 'this' } }
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
