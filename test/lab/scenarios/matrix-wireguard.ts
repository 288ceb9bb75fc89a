// The rows of wireguard in the matrix of backends and families: by the kernel, and by wireguard-go.
import type { Family } from '../../../src/ip/address.ts'
import { PLAIN, baseOf, deviceHarms, everywhere, routeHarms, subnetOf } from './matrix-harms.ts'
import type { MatrixHost, Taken } from './matrix-host.ts'
import type { Harm, Lease, Row } from './matrix-row.ts'

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
export function wireguardRow(families: readonly Family[]): Row {
  const data = (family: Family): object => ({ PublicKey: GO_KEY.open, Port: WIREGUARD_PORT[family] })
  return {
    ...PLAIN,
    type: 'wireguard',
    families,
    prepare: 'modprobe wireguard',
    cells: {
      ...everywhere('bookworm'),
      'live change': { why: 'an emulator is too slow for it: the rows with wireguard-go have it, by the same code' },
    },
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
export function wireguardGoRow(families: readonly Family[]): Row {
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
