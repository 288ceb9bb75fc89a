// Which firewall chains we want: a pure function of the network, our subnet, the flags, and whether Docker is here.
// Invariant: rules are written exactly as iptables-save prints them, so that what was written reads back equal. Only what a
// chain holds depends on the network; where it is jumped to from (JUMPS) does not, so networks and daemons can share it.
//
// FLANNEL-FWD and FLANNEL-POSTRTG hold what Go's flanneld puts there (pkg/trafficmngr/iptables), but that neither serves
// neighbours who send through this host to others. The two accepts of FLANNEL-FWD are wide, so they come last, behind
// Docker's own rules: two of this host's Docker networks, an --internal one, containers under --icc=false stay apart.
// - FLANNEL-OVERLAY comes ahead of all others in FORWARD, so it lets pass only what enters or leaves by a device of the
//   overlay, between our subnet and the network. With Docker it is also in raw, ahead of the drops Docker 28 adds per
//   container, and at the end of the operator's own DOCKER-USER, so that nothing is lost while dockerd puts its rules first.
// - FLANNEL-USER: what FLANNEL-OVERLAY would accept is first shown to the operator's rules in DOCKER-USER.
// - FLANNEL-NOMASQ: Docker masquerades what leaves its bridge; what stays in the network keeps its own address.
import type { Family } from '../../ip/address.ts'
import type { Prefix } from '../../ip/prefix.ts'

/** What the rules of one address family depend on. */
export interface FirewallInput {
  readonly family: Family
  /** The cluster's network. */
  readonly network: Prefix
  /** Our leased subnet. */
  readonly subnet: Prefix
  /** -ip-masq */
  readonly masquerade: boolean
  /** Not -ip-masq-fully-random-disable. */
  readonly randomFully: boolean
  /** -iptables-forward-rules */
  readonly forward: boolean
  /** EnableNFTables: forward-tables.ts does forwarding and masquerading; iptables keeps only what Docker makes necessary. */
  readonly nftables?: boolean
  /** The interface between the hosts. */
  readonly external: string
  /** Devices on which packets of peers' containers arrive: flannel.1; the external interface with host-gw and DirectRouting. */
  readonly overlay: readonly OverlayDevice[]
}

/** A device overlay packets arrive on. */
export interface OverlayDevice {
  readonly name: string
  /**
   * Shared with hosts that are no peers (a LAN interface). There an inner source address is all there is to go by:
   * a neighbour without an address of the network stays out, one that forges a peer's container's gets no answer.
   */
  readonly shared: boolean
  /** What peers' containers send from by it. */
  readonly from: readonly Prefix[]
}

/** Which of Docker's chains exist. */
export interface DockerChains {
  /** DOCKER-USER in filter: made by every engine since 17.06, at its start. */
  readonly user: boolean
  /** DOCKER in nat. */
  readonly nat: boolean
}

/** The tables we have rules in. */
export const TABLES = ['raw', 'filter', 'nat'] as const
export type Table = (typeof TABLES)[number]

/** The rules of our chains, by "table chain". A chain that is not there is not wanted. */
export type DesiredChains = ReadonlyMap<string, readonly string[]>

/** How one of our chains is reached. Jumps in the same chain are in this order. */
export interface Jump {
  readonly table: Table
  readonly from: string
  readonly to: string
  /**
   * `last` is ahead of an unconditional RETURN, which is how DOCKER-USER of older engines ends; `behind` is behind Docker's
   * rules and ahead of a rule that refuses all that is left.
   */
  readonly place: 'first' | 'last' | 'behind'
  readonly rule: string
}

const FORWARD_COMMENT = '-m comment --comment "flanneld forward"'
const MASQ_COMMENT = '-m comment --comment "flanneld masq"'
/** What kube-proxy marks for its own masquerading; returned early, as Go's flanneld does. */
const KUBE_MARK = '-m mark --mark 0x4000/0x4000'
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const
/** What stays on a link: with net.bridge.bridge-nf-call-ip6tables frames of one bridge pass the rules too. */
const LINK_LOCAL: Readonly<Record<Family, readonly string[]>> = { 4: [], 6: ['fe80::/10'] }

const jump = (table: Table, from: string, to: string, place: Jump['place'] = 'first'): Jump => ({
  table,
  from,
  to,
  place,
  rule: `${table === 'nat' ? MASQ_COMMENT : FORWARD_COMMENT} -j ${to}`,
})

/** Every chain of ours and the one rule that leads to it. */
export const JUMPS: readonly Jump[] = [
  jump('raw', 'PREROUTING', 'FLANNEL-OVERLAY'),
  jump('filter', 'FORWARD', 'FLANNEL-USER'),
  jump('filter', 'FORWARD', 'FLANNEL-OVERLAY'),
  jump('filter', 'FORWARD', 'FLANNEL-FWD', 'behind'),
  jump('filter', 'DOCKER-USER', 'FLANNEL-OVERLAY', 'last'),
  jump('nat', 'POSTROUTING', 'FLANNEL-NOMASQ'),
  jump('nat', 'POSTROUTING', 'FLANNEL-POSTRTG'),
]

/**
 * The chains wanted for the networks of one family: each chain has the rules of the first network, then those of the next.
 * Rules that name no network are there once.
 */
export function desiredChains(inputs: readonly FirewallInput[], docker: DockerChains): DesiredChains {
  const chains = new Map<string, readonly string[]>()
  for (const input of inputs)
    for (const [chain, rules] of chainsOf(input, docker))
      chains.set(chain, [...new Set([...(chains.get(chain) ?? []), ...rules])])
  return chains
}

function chainsOf(input: FirewallInput, docker: DockerChains): DesiredChains {
  const chains = new Map<string, readonly string[]>()
  if (input.forward && docker.user) {
    chains.set('raw FLANNEL-OVERLAY', entering(input))
    chains.set('filter FLANNEL-USER', userRules(input))
  }
  if (input.forward && (docker.user || input.nftables !== true)) {
    chains.set('filter FLANNEL-OVERLAY', [...entering(input), ...leaving(input, 'ACCEPT')])
    chains.set('filter FLANNEL-FWD', forwardRules(input))
  }
  if (docker.nat) chains.set('nat FLANNEL-NOMASQ', keepAddressRules(input))
  if (input.masquerade && input.nftables !== true) chains.set('nat FLANNEL-POSTRTG', masqueradeRules(input))
  return chains
}

/**
 * Go's two accepts. With -ip-masq others would reach every container of the network through this host, so what comes in by the external
 * interface passes to our own subnet only, unless a rule of this host's sent it further (DNAT) or it answers.
 */
function forwardRules({ network, subnet, external, masquerade, overlay }: FirewallInput): readonly string[] {
  const fromNetwork = `-s ${network} ${FORWARD_COMMENT} -j ACCEPT`
  const toNetwork = `-d ${network} ${FORWARD_COMMENT} -j ACCEPT`
  if (!masquerade) return [fromNetwork, toNetwork]
  // No outside host has an address of our own subnet.
  const forged = `-s ${subnet} -i ${external} ${FORWARD_COMMENT} -j DROP`
  const transit = `-d ${network} -i ${external} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT ${FORWARD_COMMENT} -j DROP`
  return [
    `-d ${subnet} ${FORWARD_COMMENT} -j ACCEPT`,
    forged,
    // Where peers send unwrapped, they come in there as well.
    ...(isSharedDevice(overlay, external) ? [fromNetwork, transit] : [transit, fromNetwork]),
    toNetwork,
  ]
}

/** Whether packets of peers come in by this device unwrapped. */
export function isSharedDevice(overlay: readonly OverlayDevice[], device: string): boolean {
  return overlay.some(({ name, shared }) => shared && name === device)
}

/** What comes from peers to our subnet by a device of the overlay. */
function entering({ subnet, overlay }: FirewallInput): readonly string[] {
  return overlay.flatMap(({ name, shared, from }) => [
    // No outside host has an address of our own subnet.
    ...(shared ? [`-s ${subnet} -i ${name} ${FORWARD_COMMENT} -j RETURN`] : []),
    ...from.map((prefix) => `-s ${prefix} -d ${subnet} -i ${name} ${FORWARD_COMMENT} -j ACCEPT`),
  ])
}

/** What is to be asked of the operator's rules: all that FLANNEL-OVERLAY accepts. Asking may be wider than accepting. */
function userRules(input: FirewallInput): readonly string[] {
  const { network, subnet, overlay } = input
  return [
    ...overlay.map(({ name }) => `-s ${network} -d ${subnet} -i ${name} ${FORWARD_COMMENT} -j DOCKER-USER`),
    ...leaving(input, 'DOCKER-USER'),
  ]
}

/** What goes from our subnet to the network by one, unless it only passes through from a neighbour. */
function leaving({ network, subnet, external, overlay }: FirewallInput, target: string): readonly string[] {
  return overlay.map(
    ({ name }) => `-s ${subnet} -d ${network} ! -i ${external} -o ${name} ${FORWARD_COMMENT} -j ${target}`,
  )
}

function keepAddressRules({ network, subnet }: FirewallInput): readonly string[] {
  return [
    `${KUBE_MARK} ${MASQ_COMMENT} -j RETURN`,
    // A container that calls its own published port has to be masqueraded by Docker.
    `-s ${subnet} -d ${subnet} ${MASQ_COMMENT} -j RETURN`,
    `-s ${subnet} -d ${network} ${MASQ_COMMENT} -j ACCEPT`,
  ]
}

/**
 * Go's rules, but for two things. Its last one lends our address to everybody who sends through this host into the network;
 * ours serves what it is there for: what starts on this host, and what a rule of this host's leads there (DNAT). And what only
 * passes through, from the network to the network, is not masqueraded.
 */
function masqueradeRules({ family, network, subnet, randomFully }: FirewallInput): readonly string[] {
  const masquerade = `${MASQ_COMMENT} -j MASQUERADE${randomFully ? ' --random-fully' : ''}`
  return [
    `${KUBE_MARK} ${MASQ_COMMENT} -j RETURN`,
    `-s ${network} -d ${network} ${MASQ_COMMENT} -j RETURN`,
    // From outside to a container of ours: it shall see who calls.
    `! -s ${network} -d ${subnet} ${MASQ_COMMENT} -j RETURN`,
    ...LINK_LOCAL[family].map((prefix) => `-s ${network} -d ${prefix} ${MASQ_COMMENT} -j RETURN`),
    `-s ${network} ! -d ${MULTICAST[family]} ${masquerade}`,
    `! -s ${network} -d ${network} -m addrtype --src-type LOCAL ${masquerade}`,
    `! -s ${network} -d ${network} -m conntrack --ctstate DNAT ${masquerade}`,
  ]
}
