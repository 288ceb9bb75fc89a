// The status of a healthy host, for tests of what is made of it.
import type { GuardState, PeerView, Status } from '../../src/view/status-shape.ts'

/** The moment of it: 2026-11-20 12:00 UTC. */
export const NOW = Date.UTC(2026, 10, 20, 12)

const SECOND = 1000
const DAY = 86_400 * SECOND

const FLANNEL_1 = {
  device: 'flannel.1',
  type: 'vxlan',
  mtu: 1450,
  vni: 1,
  port: 8472,
  rxBytes: 41_200_000_000,
  txBytes: 39_800_000_000,
  drops: 0,
}

const GUARD: GuardState = {
  port: 8472,
  protocol: null,
  table: 'flannel-guard-1',
  peers: 7,
  unknownSenders: 0,
  strangers: [],
  error: null,
}

/** As it is, but for what `over` says. */
export function statusWith(over: Partial<Status> = {}): Status {
  return {
    version: '0.1.0',
    pid: 811,
    host: 'host2',
    since: NOW - 3 * DAY - 4 * 3600 * SECOND,
    interface: 'enp0s3',
    address: '192.168.19.121',
    families: [
      {
        family: 4,
        interface: 'enp0s3',
        address: '192.168.19.121',
        subnet: '10.2.21.0/24',
        network: { cidr: '10.2.0.0/16', total: 255, used: 8 },
      },
    ],
    ready: true,
    reasons: [],
    unready: [],
    store: {
      endpoints: ['1', '2', '3'].map((n) => ({ url: `https://10.0.0.${n}:2379`, health: 'healthy', detail: '' })),
      connected: true,
      revision: '48112',
      since: NOW - DAY,
      tls: 'mutual',
      certificateEnds: NOW + 71 * DAY,
      error: null,
    },
    lease: { subnet: '10.2.21.0/24', reserved: false, renewed: NOW - 4 * SECOND, expires: NOW + DAY - 4 * SECOND },
    network: { cidr: '10.2.0.0/16', total: 255, used: 8 },
    tunnel: { ...FLANNEL_1, encrypted: false, devices: [FLANNEL_1], proven: 7 },
    kernel: {
      wanted: 28,
      right: 28,
      failing: 0,
      conflicts: [],
      audited: NOW - 4 * SECOND,
      repairs: 0,
      lastRepair: null,
    },
    firewall: {
      backend: 'iptables-nft',
      forward: true,
      docker: true,
      masquerade: null,
      error: null,
      guard: GUARD,
    },
    helpers: [],
    peers: { total: 7, up: 7, degraded: 0, unreachable: 0, unknown: 0, refused: 0, inTrouble: 0 },
    troubled: [],
    conditions: [],
    ...over,
  }
}

/** A peer at 10.2.N.0/24 that is up, but for what `over` says. */
export function peerWith(n: number, over: Partial<PeerView> = {}): PeerView {
  return {
    subnet: `10.2.${n}.0/24`,
    publicAddress: `192.168.19.${n}`,
    type: 'vxlan',
    via: 'vxlan',
    why: '',
    encrypted: false,
    state: 'up',
    rttMs: 0.3,
    loss: 0,
    pathMtu: 1450,
    since: NOW - DAY,
    cause: null,
    level: null,
    note: '',
    families: [],
    ...over,
  }
}

/** One that is silent. */
export const SILENT = peerWith(41, {
  state: 'unreachable',
  rttMs: null,
  loss: 1,
  pathMtu: null,
  since: NOW - 41 * SECOND,
  cause: 'tunnel-blocked',
  note: 'udp 8472 blocked?',
})
