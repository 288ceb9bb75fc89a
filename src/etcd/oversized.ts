// What etcd holds that no lease and no config is: values and keys so large that they are let go as they arrive.
// Invariant: nothing larger than these bounds gets past src/etcd, and nothing small keeps the message it came in alive.
import { createHash } from 'node:crypto'
import type { IKeyValue } from 'etcd3'
import type { StoreEntry } from './store.ts'

/** The largest value that is taken in, in bytes; real ones have some 200. */
export const MOST_VALUE_BYTES = 16 * 1024

/** The longest key that is taken in, in bytes. The rest of a longer one is replaced by its hash, so that it stays one key. */
const MOST_KEY_BYTES = 1024

const NOTE = /^\(([1-9]\d{0,15}) bytes, too large: not read\)$/

/** The keys of one message as entries. What is too large has a note in place of its value. */
export function takeIn(kvs: readonly IKeyValue[]): StoreEntry[] {
  // Values are views of the message: a small one would keep the large ones of the same message in memory.
  const heavy = kvs.some(({ key, value }) => value.length > MOST_VALUE_BYTES || key.length > MOST_KEY_BYTES)
  return kvs.map((kv) => ({
    key: keyOf(kv.key),
    value:
      kv.value.length > MOST_VALUE_BYTES ? oversizedNote(kv.value.length) : heavy ? Buffer.from(kv.value) : kv.value,
    createRevision: kv.create_revision,
    modRevision: kv.mod_revision,
    lease: kv.lease,
  }))
}

/** What replaces a value of `bytes` bytes. */
export function oversizedNote(bytes: number): Buffer {
  return Buffer.from(`(${bytes} bytes, too large: not read)`)
}

/** How many bytes a value had that was let go; undefined for one that is there. Anybody may write such a note himself. */
export function droppedBytes(value: Buffer | string): number | undefined {
  if (value.length > 64) return undefined
  const [, bytes] = NOTE.exec(value.toString()) ?? []
  return bytes === undefined ? undefined : Number(bytes)
}

function keyOf(key: Buffer): string {
  if (key.length <= MOST_KEY_BYTES) return key.toString()
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${key.toString('utf8', 0, 200)}...(${key.length} bytes, ${hash})`
}
