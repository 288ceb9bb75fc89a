// Carrying packets between a TUN device and a UDP socket, by a program in C (src/helpers/forwarder). It is a process of its own that the
// next daemon takes over: no packet is lost while the daemon restarts.
import { closeSync } from 'node:fs'
import type { ForwarderHelper, ForwarderPeer } from '../health/outside-kernel.ts'
import { pause, unlessAborted } from '../async/wait.ts'
import { messageOf } from '../errors.ts'
import { TUN_DEVICE } from '../kernel/flannel-link.ts'
import type { Prefix } from '../ip/prefix.ts'
import { addon } from '../netlink/addon.ts'
import { orThrow } from '../netlink/errno.ts'
import { startDetached } from '../process/child.ts'
import type { HelperContext, HelperDriver, HelperFacts, HelperPeers, RunningHelper } from './driver.ts'
import { type ForwarderLine, callForwarder } from './forwarder-line.ts'
import { ASK, VERSION, guardBody, moveBody, peersBody, readCounts, readHello } from './forwarder-messages.ts'

/** How long one may take to start, and to end. Milliseconds. */
const START_MS = 5000
const END_MS = 1000
/** Counts are asked for again after this. Milliseconds. */
const COUNTS_MS = 500

export const forwarderDriver: HelperDriver<ForwarderHelper, ForwarderPeer> = {
  type: 'forwarder',
  makesDevices: true,
  endLeft: () => {
    const line = callForwarder(socketName({ name: TUN_DEVICE }))
    return line && endOn(line)
  },
  start: async (wanted, context) => {
    const { line, pid } = (await takeOver(wanted)) ?? (await startNew(wanted))
    try {
      await line.ask(ASK.move, moveBody(wanted))
      await line.ask(ASK.guard, guardBody(context.strangers))
    } catch (error) {
      line.close()
      throw explained(wanted, messageOf(error))
    }
    return new RunningForwarder(line, pid, context)
  },
}

interface Started {
  readonly line: ForwarderLine
  readonly pid: number
}

/** The name of its socket. */
function socketName({ name }: Pick<ForwarderHelper, 'name'>): string {
  return `flanneld/forwarder/${name}`
}

/** The UDP port that the forwarder of a device has; undefined when there is none. */
export async function forwarderPort(name: string): Promise<number | undefined> {
  const line = callForwarder(socketName({ name }))
  const answer = await line?.ask(ASK.hello).catch(() => undefined)
  line?.close()
  return answer && readHello(answer).port
}

/** The forwarder that an earlier daemon left; one that speaks otherwise is ended. */
async function takeOver(wanted: ForwarderHelper): Promise<Started | undefined> {
  const line = callForwarder(socketName(wanted))
  if (line === undefined) return undefined
  const hello = readHello(await line.ask(ASK.hello))
  if (hello.version === VERSION) return { line, pid: hello.pid }
  await endOn(line)
  return undefined
}

async function startNew(wanted: ForwarderHelper): Promise<Started> {
  const { name, local, port, self } = wanted
  const fd = orThrow('forwarder', addon().openForwarder())
  const started = startDetached(`/proc/self/fd/${fd}`, [name, local, String(port), self, socketName(wanted)], START_MS)
  try {
    const { pid } = await started
    const line = callForwarder(socketName(wanted))
    if (line === undefined) throw new Error('it ended at once')
    return { line, pid }
  } catch (error) {
    throw explained(wanted, messageOf(error))
  } finally {
    closeSync(fd)
  }
}

/** What the operator can do about a failure. */
function explained({ name, local, port }: ForwarderHelper, why: string): Error {
  if (/in use/.test(why))
    return new Error(
      `Backend.Port: ${port} at ${local}: in use by another program (ss -ulpn sport = :${port} shows which): stop it`,
    )
  if (/busy/.test(why)) return new Error(`${name}: another program has it open: stop it`)
  if (/net.tun/.test(why))
    return new Error(`${why}: load the module with modprobe tun, and let flanneld use /dev/net/tun`)
  return new Error(why)
}

async function endOn(line: ForwarderLine): Promise<void> {
  const enough = new AbortController()
  const ended = new Promise<void>((resolve) => {
    line.onEnd(resolve)
  })
  line.ask(ASK.end).catch(() => undefined)
  await Promise.race([unlessAborted(ended, enough.signal), pause(END_MS, enough.signal)])
  enough.abort()
  line.close()
}

class RunningForwarder implements RunningHelper<ForwarderHelper, ForwarderPeer> {
  readonly #line: ForwarderLine
  readonly #pid: number
  readonly #context: HelperContext
  #told = false
  #stopping = false
  #counts: HelperFacts = {}
  #asked = -Infinity

  constructor(line: ForwarderLine, pid: number, context: HelperContext) {
    this.#line = line
    this.#pid = pid
    this.#context = context
    line.onEnd(() => {
      if (!this.#stopping) context.ended('it ended')
    })
  }

  async update(wanted: ForwarderHelper): Promise<boolean> {
    try {
      await this.#line.ask(ASK.move, moveBody(wanted))
    } catch (error) {
      throw explained(wanted, messageOf(error))
    }
    return true
  }

  peers(all: HelperPeers<ForwarderPeer>, changed: Iterable<Prefix>): void {
    const told = this.#told
    this.#told = true
    const subnets = told ? [...changed] : [...all.keys()]
    const body = peersBody(subnets.map((subnet) => [subnet, all.get(subnet)]))
    this.#line.ask(told ? ASK.changedPeers : ASK.allPeers, body).catch((error: unknown) => {
      if (!this.#stopping) this.#context.ended(`peers: ${messageOf(error)}`)
    })
  }

  facts(): HelperFacts {
    const now = performance.now()
    if (now - this.#asked > COUNTS_MS) {
      this.#asked = now
      this.#line.ask(ASK.counts).then(
        (body) => (this.#counts = readCounts(body)),
        () => undefined,
      )
    }
    return { pid: this.#pid, ...this.#counts }
  }

  async stop(reason: 'unwanted' | 'daemon-ends'): Promise<void> {
    this.#stopping = true
    if (reason === 'unwanted') await endOn(this.#line)
    else this.#line.close()
  }
}
