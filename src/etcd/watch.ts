// The watch of a prefix as one endless sequence: a snapshot, then changes; a snapshot again when continuity is lost.
// Invariant: every event after a snapshot is given once and in order, whatever happens to the connection.
// etcd3's own Watcher resumes at header.revision + 1 and dies on compaction, hence the raw stream.
import type { IDuplexStream, IRequestStream, IWatchRequest, IWatchResponse } from 'etcd3'
import type { EtcdError } from '../errors.ts'
import { isOversized } from './failure.ts'
import { advance, type Batch, recognise, type PastReader, type Position, positionOf, revisionOf } from './position.ts'
import type { StoreChange, StoreEntry, Snapshot, WatchStep } from './store.ts'
import { Backoff, hasAborted, pause, unlessAborted } from '../async/wait.ts'

/** The raw stream; it is a Node stream, so it can be paused. */
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse> & { pause(): unknown; resume(): unknown }

/** What the watch needs of the client. */
export interface WatchSource extends PastReader {
  list(prefix: string): Promise<{ readonly snapshot: Snapshot; readonly cluster: string }>
  open(): Promise<WatchStream>
  /** The request that watches `prefix` from a revision on. */
  request(prefix: string, from: string): IWatchRequest
  entries(kvs: readonly IWatchResponse['events'][number]['kv'][]): readonly StoreEntry[]
  failure(thrown: unknown): EtcdError
  /** Milliseconds that a call may take at the moment. */
  limit(): number
  /** A watch was not confirmed within this many milliseconds. */
  late(limit: number): void
}

/** Milliseconds etcd may take to confirm a watch, at least. */
const CREATED_WITHIN = 5_000
/** Milliseconds after which a connection counts as one that holds. */
const STEADY = 5_000
/** Changes waiting for the consumer from which on the stream is paused. */
const ENOUGH = 4_000

/** Thrown inside: the position is no longer in etcd's history. */
class Compacted extends Error {}

/** Steps until `signal` aborts. An empty `changes` step says that the connection is back and nothing was missed. */
export async function* watch(
  source: WatchSource,
  prefix: string,
  signal: AbortSignal,
  from: Snapshot[] = [],
): AsyncIterableIterator<WatchStep> {
  const backoff = new Backoff(100, 2_000)
  let position: Position | undefined
  const reported = new Set<string>()
  while (!signal.aborted) {
    let feed: Feed | undefined
    let up = Infinity
    try {
      const start = await startOf(source, prefix, signal, from, position)
      if (start === undefined) return
      position = start.position
      if (start.box !== undefined) yield takeSnapshot(start.box, start.history)
      feed = new Feed(source, await source.open())
      await unlessAborted(feed.start(source.request(prefix, position.next.toString())), signal)
      reported.clear()
      up = performance.now()
      if (start.box === undefined) yield { type: 'changes', revision: (position.next - 1n).toString(), changes: [] }
      for (;;) {
        const step = await unlessAborted(feed.next(), signal)
        if (step === undefined) return
        backoff.reset()
        position = advance(position, step)
        if (step.changes.length > 0) yield { type: 'changes', revision: step.revision, changes: step.changes }
      }
    } catch (thrown) {
      if (hasAborted(signal)) return
      if (needsListing(thrown)) {
        position = undefined
        continue
      }
      // A connection that held for a while was a good one, events or not.
      if (performance.now() - up > STEADY) backoff.reset()
      const error = source.failure(thrown)
      // Endpoints take turns in failing: other addresses and times do not make it another failure.
      const kind = error.message.replace(/\d+/g, '')
      if (!reported.has(kind)) yield { type: 'disconnected', error }
      reported.add(kind)
      await pause(backoff.next(), signal)
    } finally {
      feed?.stop()
    }
  }
}

/** Whether only a listing helps: the events are compacted, or too large to be received. */
function needsListing(thrown: unknown): boolean {
  return thrown instanceof Compacted || isOversized(thrown)
}

/** Where a stream starts: behind what was seen before, or behind the listing in `box`. */
interface Start {
  readonly position: Position
  readonly box?: Box
  readonly history?: Pick<Snapshot, 'history'>
}

/** Continues at `position` while etcd's history up to it is the one we saw; lists again otherwise. Undefined: aborted. */
async function startOf(
  source: WatchSource,
  prefix: string,
  signal: AbortSignal,
  from: Snapshot[],
  position: Position | undefined,
): Promise<Start | undefined> {
  const history = position && (await unlessAborted(recognise(source, position), signal))
  if (position !== undefined && history === 'same') return { position }
  const box = given(from) ?? [await unlessAborted(source.list(prefix), signal)]
  const listing = positionIn(box)
  return listing && { position: listing, box, history: history === 'another' ? { history } : {} }
}

/** The responses of one stream, gathered until the consumer asks. */
class Feed {
  readonly #source: WatchSource
  readonly #stream: WatchStream
  #changes: StoreChange[] = []
  /** Changes of a fragmented response that is not complete: lost with the stream, given again after a resume. */
  #partial: StoreChange[] = []
  #revision: string | undefined
  #failure: Error | undefined
  #created = false
  #wake: () => void = () => undefined

  constructor(source: WatchSource, stream: WatchStream) {
    this.#source = source
    this.#stream = stream
    stream.on('data', (response) => {
      this.#receive(response)
    })
    stream.on('error', (error) => {
      this.#fail(error)
    })
    stream.on('end', () => {
      this.#fail(new Error('connection closed by etcd'))
    })
  }

  /** Asks for the watch; resolves when etcd confirmed it. */
  async start(request: IWatchRequest): Promise<void> {
    this.#stream.write(request)
    const limit = Math.max(CREATED_WITHIN, this.#source.limit())
    const late = setTimeout(() => {
      this.#source.late(limit)
      this.#fail(new Error('watch not confirmed: connection dropped'))
    }, limit)
    try {
      while (!this.#created) await this.#progress()
    } finally {
      clearTimeout(late)
    }
  }

  /** What has arrived since the last call, at least one response; rejects when the stream failed and all was given. */
  async next(): Promise<Batch> {
    while (this.#revision === undefined) await this.#progress()
    const batch = { revision: this.#revision, changes: this.#changes }
    this.#revision = undefined
    this.#changes = []
    this.#stream.resume()
    return batch
  }

  stop(): void {
    this.#fail(new Error('stopped'))
    endStream(this.#stream)
  }

  async #progress(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #receive(response: IWatchResponse): void {
    if (this.#failure !== undefined) return
    if (response.canceled) {
      this.#fail(
        response.compact_revision === '0' ? new Error(response.cancel_reason || 'watch cancelled') : new Compacted(),
      )
      return
    }
    if (response.created) {
      this.#created = true
    } else {
      const entries = this.#source.entries(response.events.map(({ kv }) => kv))
      for (const [at, entry] of entries.entries()) this.#partial.push(changeOf(response.events[at]?.type, entry))
      if (response.fragment) return
      const last = this.#partial.at(-1)
      this.#revision = last === undefined ? response.header.revision : revisionOf(last)
      for (const change of this.#partial) this.#changes.push(change)
      this.#partial = []
      if (this.#changes.length > ENOUGH) this.#stream.pause()
    }
    this.#wake()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }
}

function changeOf(type: IWatchResponse['events'][number]['type'] | undefined, entry: StoreEntry): StoreChange {
  // Enums arrive as text (proto-loader's `enums: String`), whatever the declared type says.
  return String(type).toUpperCase() === 'DELETE'
    ? { type: 'delete', key: entry.key, modRevision: entry.modRevision }
    : { type: 'put', entry }
}

/** A listing for the consumer. A suspended generator keeps its variables, and a listing can be very large. */
type Box = (Awaited<ReturnType<WatchSource['list']>> | undefined)[]

/** Takes a listing that was made before. */
function given(from: Snapshot[]): Box | undefined {
  const snapshot = from.pop()
  return snapshot?.cluster === undefined ? undefined : [{ snapshot, cluster: snapshot.cluster }]
}

function positionIn([listed]: Box): Position | undefined {
  return listed && positionOf(listed.snapshot, listed.cluster)
}

/** Empties the box. */
function takeSnapshot(box: Box, history: Pick<Snapshot, 'history'> = {}): WatchStep {
  const listed = box.pop()
  if (listed === undefined) throw new TypeError('a listing is given once')
  return { type: 'snapshot', snapshot: { ...listed.snapshot, ...history } }
}

/** Ends a stream we are done with. Not by cancel() alone: etcd3 counts that as a failure of the endpoint. */
export function endStream(stream: IRequestStream<unknown>): void {
  stream.end()
  stream.cancel()
}
