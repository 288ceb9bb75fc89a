// What a step of following the leases tells: lines for the log, events for the operator.
// Invariant: however many peers a step changes, it costs some lines; the peers found at the start are one event.
import type { Happenings } from './events.ts'
import { FAULTLESS } from './lease/peer-check.ts'
import type { PeerChange, PeerStep } from './lease/peers.ts'
import { type Log, printable } from './log.ts'

/** At most so many peers get a line of their own in one step. */
const LINES = 10
/** And so many refused leases: each is a fault somebody has to find. */
const REFUSALS = 100

export class PeerNews {
  readonly #log: Log
  readonly #events: Happenings

  constructor(log: Log, events: Happenings) {
    this.#log = log
    this.#events = events
  }

  /** Tells a step, the `first` one or a later one. */
  say(step: PeerStep, which: 'first' | 'later'): void {
    this.#refusals(step)
    const { changes } = step
    for (const { text } of changes.slice(0, LINES).map(toldOf)) this.#log.info(`peer ${text}`)
    if (changes.length > LINES) this.#log.info(`and ${changes.length - LINES} more peers changed`)
    if (which === 'first') return
    for (const { subnet, text } of changes.slice(0, LINES).map(toldOf))
      this.#events.happened('peer', text, { peer: subnet })
    if (changes.length > LINES) this.#events.happened('peer', `and ${changes.length - LINES} more peers changed`)
  }

  /** The first listing is complete. */
  complete(peers: number, revision: bigint): void {
    this.#log.info(`${peers} peers at revision ${revision}`)
    this.#events.happened('peer', `${peers} ${peers === 1 ? 'peer' : 'peers'} at the start`)
  }

  #refusals({ refused }: PeerStep): void {
    for (const { key, reason, detail } of refused.slice(0, REFUSALS)) {
      this.#log[FAULTLESS.has(reason) ? 'info' : 'warn'](`lease refused: ${printable(key, 120)}: ${reason}: ${detail}`)
    }
    if (refused.length > REFUSALS) this.#log.warn(`lease refused: and ${refused.length - REFUSALS} more`)
    for (const { key, reason, detail } of refused.slice(0, LINES)) {
      const text = `lease refused: ${printable(key, 120)}: ${reason}: ${detail}`
      this.#events.happened('peer', text, { bad: !FAULTLESS.has(reason) })
    }
    if (refused.length > LINES) {
      const text = `${refused.length - LINES} more leases refused: flanneld peers lists them`
      this.#events.happened('peer', text, { bad: true })
    }
  }
}

function toldOf({ subnet, before, after }: PeerChange): { readonly subnet: string; readonly text: string } {
  const what = before === undefined ? 'joined' : after === undefined ? 'left' : 'changed'
  const peer = after ?? before
  return { subnet, text: `${subnet} ${what}: ${peer?.type ?? ''} ${peer?.publicAddress ?? ''}` }
}
