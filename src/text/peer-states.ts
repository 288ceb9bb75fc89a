// The states of a peer, for lists, metrics and the page.

/** The worst first. `unknown`: not probed yet; `refused`: a lease that is no peer. */
export const PEER_STATES = ['unreachable', 'degraded', 'refused', 'unknown', 'up'] as const
