// A listing in pages of one revision. A page is counted in keys but limited in bytes: one that is too large is asked for
// again with half the keys, down to a single one.
// Invariant: whatever is stored, a listing ends; a value too large for any page is in it as a note.
import type { IKeyValue, IRangeRequest, IRangeResponse } from 'etcd3'
import { isOversized } from './failure.ts'
import { oversizedNote, takeIn } from './oversized.ts'
import type { StoreEntry, Snapshot } from './store.ts'

/** The largest answer that is taken, in bytes: gRPC refuses it by its length alone. Its default of 4 MiB would do as well. */
export const MOST_ANSWER_BYTES = 16 * 1024 * 1024

/** Keys a listing asks for at a time: decoding a page keeps the event loop from turning for about 10 ms. */
const PAGE = 1_000

/** Asks etcd for a range. Rejects as etcd3 does for an answer that is too large, else with EtcdError. */
export type AskRange = (request: IRangeRequest) => Promise<IRangeResponse>

/** All keys that start with `prefix`, at one revision. */
export async function listPages(
  ask: AskRange,
  prefix: string,
): Promise<{ readonly snapshot: Snapshot; readonly cluster: string }> {
  const entries: StoreEntry[] = []
  const range_end = endOf(prefix)
  let key = Buffer.from(prefix)
  let limit = PAGE
  let first: IRangeResponse['header'] | undefined
  for (;;) {
    const page = await askPage(ask, { key, range_end, revision: first?.revision ?? '0' }, limit)
    first ??= page.header
    for (const entry of takeIn(page.kvs)) entries.push(entry)
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) {
      return { snapshot: { revision: first.revision, entries }, cluster: first.cluster_id }
    }
    key = Buffer.concat([last.key, Buffer.from([0])])
    // What was too large may be over.
    limit = Math.min(page.asked * 2, PAGE)
  }
}

/** One key as it is now. */
export async function readKey(
  ask: AskRange,
  key: string,
): Promise<{ readonly revision: string; readonly entry: StoreEntry | undefined }> {
  const { header, kvs } = await askPage(ask, { key: Buffer.from(key) }, 1)
  return { revision: header.revision, entry: takeIn(kvs)[0] }
}

interface Page extends Pick<IRangeResponse, 'header' | 'kvs' | 'more'> {
  /** The page was small enough with this many keys at most. */
  readonly asked: number
}

async function askPage(ask: AskRange, request: IRangeRequest, most: number): Promise<Page> {
  for (let limit = most; ; limit = Math.ceil(limit / 2)) {
    try {
      const { header, kvs, more } = await ask({ ...request, limit })
      return { header, kvs, more, asked: limit }
    } catch (thrown) {
      if (!isOversized(thrown)) throw thrown
    }
    if (limit > 1) continue
    const { header, kvs, more } = await ask({ ...request, limit: 1, keys_only: true })
    return {
      header,
      more,
      asked: 1,
      kvs: kvs.map((kv): IKeyValue => ({ ...kv, value: oversizedNote(MOST_ANSWER_BYTES) })),
    }
  }
}

/** The key after all keys that start with `prefix` (etcd's range_end). */
export function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] ?? 0
    if (byte < 0xff) {
      end[i] = byte + 1
      return end.subarray(0, i + 1)
    }
  }
  return Buffer.from([0])
}
