// Finds out which peers on our link get packets of containers without a tunnel, and has packets go that way.
// Invariants: it proves before packets go that way, and goes on proving while they do; what is known is of the lease that was probed.
import type { Peer } from '../backend.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { type Prefix, addressOf, prefixFamily } from '../ip/prefix.ts'
import { inFamily } from '../ip/by-family.ts'
import { samePeer } from '../lease/peer-check.ts'
import { type Sessions, sessionOf } from '../overlay/sessions.ts'
import type { Announcer } from './announce.ts'
import { type DirectHistory, UNDECIDED, afterDirectTurn, afterTrial, isTrialDue } from './direct.ts'
import { Frames } from './frames.ts'
import type { OnLink } from './path.ts'
import type { Pinger } from './pinger.ts'
import { answers } from './tally.ts'
import { type TrialResult, makeTrial } from './trial.ts'
import type { Tallies } from './turn-plan.ts'

/** What it works with. */
interface DirectWaysParts {
  readonly sessions: Sessions
  readonly kernel: Pick<LiveKernel, 'neighborMac'>
  readonly announcer: Announcer
  readonly signal: AbortSignal
}

/** What is known of a peer. */
interface Known {
  readonly peer: Peer
  readonly history: DirectHistory
}

export class DirectWays {
  readonly #parts: DirectWaysParts
  readonly #known = new Map<Prefix, Known>()
  readonly #frames = new Frames()

  constructor(parts: DirectWaysParts) {
    this.#parts = parts
  }

  /** Tries the way to a peer, where that is due. Undefined when nothing was tried. Never rejects but for a fault of ours. */
  async try(peer: Peer, { lane, index, gateway }: OnLink, pinger: Pinger): Promise<TrialResult | undefined> {
    const { kernel, signal } = this.#parts
    if (!isTrialDue(this.#historyOf(peer), performance.now())) return undefined
    const mac = await kernel.neighborMac(index, gateway)
    // The turn at hand asks the peer's host, so that its MAC is known at the next one.
    if (mac === undefined) return undefined
    const mark = { subnet: this.#ownSubnet(peer.subnet), silent: false, trial: true, heard: undefined }
    return makeTrial({ lane, target: { index, mac }, frames: this.#frames, pinger, mark, signal })
  }

  /** Draws the conclusion of a turn, and of a trial if there was one; whether there is more to find out soon. */
  judged(peer: Peer, onLink: OnLink, tallies: Tallies, trial: TrialResult | undefined): boolean {
    const now = performance.now()
    const before = this.#historyOf(peer)
    const after = onLink.taken
      ? afterDirectTurn(before, tallies, now)
      : trial === undefined
        ? before
        : afterTrial(before, trial, answers(tallies.underlay), now)
    this.#known.set(peer.subnet, { peer, history: after })
    if (after.direct === before.direct) return after.direct !== true && after.passed > 0
    sessionOf(this.#parts.sessions, peer.subnet)?.prove(peer.subnet, after.direct)
    this.#parts.announcer.wentOver(peer, after.direct === true, before.direct === true, now)
    return after.direct === true
  }

  /** Drops those that are no peers any more. */
  forget(): void {
    for (const subnet of this.#known.keys()) {
      if (sessionOf(this.#parts.sessions, subnet) === undefined) this.#known.delete(subnet)
    }
  }

  close(): void {
    this.#frames.close()
  }

  /** Of another lease, or one whose proof the session has dropped, nothing is known. */
  #historyOf(peer: Peer): DirectHistory {
    const known = this.#known.get(peer.subnet)
    const holds = known !== undefined && samePeer(known.peer, peer) && known.history.direct === peer.direct
    return holds ? known.history : UNDECIDED
  }

  #ownSubnet(subnet: Prefix): ReturnType<typeof addressOf> | undefined {
    const subnets = sessionOf(this.#parts.sessions, subnet)?.inputs.subnets
    const own = subnets && inFamily(subnets, prefixFamily(subnet))
    return own && addressOf(own)
  }
}
