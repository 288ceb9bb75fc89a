// How packets of peers arrive on this host where anybody could send such packets: what a guard recognizes them by.
// Invariant: two arrivals are one when they match the same packets, whatever device takes those in.

/** The outer packets that a device takes in. */
export type Arrival =
  /** VXLAN (RFC 7348): a UDP port, shared by the devices of several VNIs. */
  | { readonly type: 'vxlan'; readonly port: number; readonly vni: number }
  /** A UDP port of its own. */
  | { readonly type: 'udp'; readonly port: number }
  /** An IP protocol of its own: 4 is IP in IP (RFC 2003). */
  | { readonly type: 'protocol'; readonly protocol: number }

/** The prefix of guards' names. */
export const GUARD_PREFIX = 'flannel-guard-'

/** The guards of UDP ports, whatever the port: a pattern of OwnedTables. */
export const UDP_GUARDS = `${GUARD_PREFIX}udp-*`

/** The name of the table, in family inet, that guards what arrives like this. For VXLAN the VNI alone: its port may change. */
export function guardTable(arrival: Arrival): string {
  switch (arrival.type) {
    case 'vxlan':
      return `${GUARD_PREFIX}${arrival.vni}`
    case 'udp':
      return `${GUARD_PREFIX}udp-${arrival.port}`
    case 'protocol':
      return `${GUARD_PREFIX}protocol-${arrival.protocol}`
  }
}

/**
 * What nft matches such packets by. The VNI is bytes 4..6 of the VXLAN header, 96 bits after the start of UDP's; a datagram too
 * short to have one does not match.
 */
export function matchOf(arrival: Arrival): string {
  switch (arrival.type) {
    case 'vxlan':
      return `udp dport ${arrival.port} @th,96,24 ${arrival.vni}`
    case 'udp':
      return `udp dport ${arrival.port}`
    case 'protocol':
      return `meta l4proto ${arrival.protocol}`
  }
}

/** Whether two are the same. */
export function sameArrival(one: Arrival, other: Arrival): boolean {
  return matchOf(one) === matchOf(other)
}

/** What a guard guards, for operators, by the name of its table: "the VXLAN port", "UDP port 8285". */
export function guardedBy(table: string): string {
  const [, type, number] = /-(udp|protocol)-(\d+)$/.exec(table) ?? []
  if (type === undefined) return 'the VXLAN port'
  return type === 'udp' ? `UDP port ${number}` : `this host by IP protocol ${number}`
}
