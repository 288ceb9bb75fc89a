// The commands of the extension backend. Level-triggered: the command for a peer runs when the peer is new or has changed, and again,
// after a growing pause, when it failed; neither an audit nor a renewal runs one. After a restart it runs once for every peer, as with
// Go's flanneld: it has to take what is there already.
import type { CommandsHelper, CommandsPeer } from '../../health/outside-kernel.ts'
import { Backoff, timerTime } from '../../async/wait.ts'
import { equal } from '../../equal.ts'
import { messageOf } from '../../errors.ts'
import type { Prefix } from '../../ip/prefix.ts'
import type { Log } from '../../log.ts'
import type { HelperContext, HelperDriver, HelperFacts, HelperPeers, RunningHelper } from '../driver.ts'
import { counted } from '../../text/counted.ts'
import { runCommand } from './run-command.ts'

/** How many run at a time. */
const AT_A_TIME = 4
/** Between two attempts for one peer, at first and at most. Milliseconds. */
const AGAIN_MS = { first: 1000, most: 60_000 }
/** How long peers are removed when it is stopped: the network's next backend waits. Milliseconds. */
const PARTING_MS = 30_000
const LATE = `SubnetRemoveCommand: not run: those before it took ${PARTING_MS / 1000} s`
/** Progress is logged after so many peers. */
const PROGRESS = 250

export const commandsDriver: HelperDriver<CommandsHelper, CommandsPeer> = {
  type: 'commands',
  makesDevices: false,
  start: async (wanted, { log, troubled }) => {
    const { start, environment } = wanted
    if (start !== undefined) await runCommand('PostStartupCommand', start, { environment, input: '' })
    return new RunningCommands(wanted, log, troubled)
  },
}

/** What was done for a peer. */
interface Done {
  /** What the add command ran with last; undefined before it has succeeded. */
  added: CommandsPeer | undefined
  readonly backoff: Backoff
  busy: boolean
  again: NodeJS.Timeout | undefined
}

class RunningCommands implements RunningHelper<CommandsHelper, CommandsPeer> {
  readonly #wanted: CommandsHelper
  readonly #log: Log
  readonly #troubled: HelperContext['troubled']
  readonly #peers = new Map<Prefix, CommandsPeer>()
  readonly #done = new Map<Prefix, Done>()
  readonly #waiting = new Set<Prefix>()
  readonly #running = new Set<Promise<void>>()
  /** Why the last command for a peer failed. */
  readonly #failing = new Map<Prefix, string>()
  #ran = 0
  #stopped = false

  constructor(wanted: CommandsHelper, log: Log, troubled: HelperContext['troubled']) {
    this.#wanted = wanted
    this.#log = log
    this.#troubled = troubled
  }

  update(): Promise<boolean> {
    return Promise.resolve(false)
  }

  peers(all: HelperPeers<CommandsPeer>, changed: Iterable<Prefix>): void {
    for (const subnet of changed) {
      const peer = all.get(subnet)
      if (peer === undefined) this.#peers.delete(subnet)
      else this.#peers.set(subnet, peer)
      this.#waiting.add(subnet)
    }
    this.#work()
  }

  facts(): HelperFacts {
    const waiting = this.#waiting.size + this.#running.size
    return { 'commands run': this.#ran, waiting, failing: this.#failing.size }
  }

  async stop(reason: 'unwanted' | 'daemon-ends'): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    for (const { again } of this.#done.values()) clearTimeout(again)
    if (reason === 'unwanted') await this.#removeAll()
    const { end, environment } = this.#wanted
    if (end !== undefined) await runCommand('ShutdownCommand', end, { environment, input: '' })
  }

  /** Runs the remove command for each peer that was added. Never rejects. */
  async #removeAll(): Promise<void> {
    // What is under way may still add a peer.
    await Promise.all(this.#running)
    const { remove } = this.#wanted
    if (remove === undefined) return
    const added = [...this.#done].flatMap(([subnet, { added }]) =>
      added === undefined ? [] : [{ subnet, peer: added }],
    )
    const left = added.values()
    const failures: string[] = []
    const until = performance.now() + PARTING_MS
    const some = async (): Promise<void> => {
      for (const { subnet, peer } of left) {
        const removed =
          performance.now() < until ? this.#run('SubnetRemoveCommand', remove, peer) : Promise.reject(new Error(LATE))
        await removed.catch((error: unknown) => failures.push(`${subnet}: ${messageOf(error)}`))
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, some))
    const [first] = failures
    if (first !== undefined) this.#log.warn(`${failures.length} of ${added.length} peers are not removed: ${first}`)
  }

  #work(): void {
    for (const subnet of this.#waiting) {
      if (this.#running.size >= AT_A_TIME || this.#stopped) return
      const done = this.#of(subnet)
      if (done.busy) continue
      this.#waiting.delete(subnet)
      done.busy = true
      const running = this.#bring(subnet, done).finally(() => {
        this.#running.delete(running)
        done.busy = false
        this.#work()
      })
      this.#running.add(running)
    }
  }

  #of(subnet: Prefix): Done {
    const known = this.#done.get(subnet)
    if (known !== undefined) return known
    const backoff = new Backoff(AGAIN_MS.first, AGAIN_MS.most)
    const done = { added: undefined, backoff, busy: false, again: undefined }
    this.#done.set(subnet, done)
    return done
  }

  /** Runs what brings a subnet to what is wanted of it. Never rejects. */
  async #bring(subnet: Prefix, done: Done): Promise<void> {
    const { add, remove } = this.#wanted
    const peer = this.#peers.get(subnet)
    clearTimeout(done.again)
    try {
      if (peer !== undefined && !equal(peer, done.added)) {
        if (add !== undefined) await this.#run('SubnetAddCommand', add, peer)
        done.added = peer
      } else if (peer === undefined && done.added !== undefined) {
        const { added } = done
        if (remove !== undefined) await this.#run('SubnetRemoveCommand', remove, added)
        done.added = undefined
      }
      this.#succeeded(subnet)
      done.backoff.reset()
      if (peer === undefined && !this.#peers.has(subnet)) this.#done.delete(subnet)
    } catch (error) {
      this.#failed(subnet, messageOf(error))
      if (this.#stopped) return
      done.again = setTimeout(() => {
        this.#waiting.add(subnet)
        this.#work()
      }, timerTime(done.backoff.next()))
    }
  }

  #succeeded(subnet: Prefix): void {
    if (!this.#failing.delete(subnet)) return
    if (this.#peers.has(subnet)) this.#log.info(`${subnet}: the command succeeds again`)
    this.#report()
  }

  #failed(subnet: Prefix, why: string): void {
    const before = this.#failing.get(subnet)
    this.#failing.set(subnet, why)
    if (before === undefined) this.#log.error(`${subnet}: ${why}; trying again`)
    if (before !== why) this.#report()
  }

  #report(): void {
    const [first] = this.#failing
    const others = this.#failing.size - 1
    const more = others > 0 ? `, and for ${counted(others, 'other peer')}` : ''
    this.#troubled(first && `${first[0]}: ${first[1]}${more}; correct the command or what it needs: it is run again`)
  }

  async #run(what: string, command: NonNullable<CommandsHelper['add']>, peer: CommandsPeer): Promise<void> {
    await runCommand(what, command, peer)
    if (++this.#ran % PROGRESS === 0) this.#log.info(`ran commands for ${this.#ran} peers, ${this.#waiting.size} wait`)
  }
}
