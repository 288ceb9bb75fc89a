// The bundle's stand-in for @grpc/proto-loader (scripts/etcd-protos.ts), against the original.
import test from 'ava'
import { build } from 'esbuild'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { etcdProtos } from '../../scripts/etcd-protos.ts'

const require = createRequire(import.meta.url)
const etcd3 = createRequire(require.resolve('etcd3'))

interface Method {
  readonly path: string
  readonly originalName: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  requestSerialize(message: object): Buffer
  requestDeserialize(bytes: Buffer): object
  responseSerialize(message: object): Buffer
  responseDeserialize(bytes: Buffer): object
}
type Services = Readonly<Record<string, Readonly<Record<string, Method>>>>
interface Loader {
  loadSync(file: string, options: object): Services
}

/** As etcd3 asks for them. */
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }

/** The loader as it is in the bundle. */
async function standIn(): Promise<Loader> {
  const folder = mkdtempSync(join(tmpdir(), 'etcd-protos-'))
  try {
    const bundled = await build({
      stdin: {
        contents: "module.exports = require('@grpc/proto-loader')",
        resolveDir: dirname(etcd3.resolve('etcd3')),
      },
      bundle: true,
      write: false,
      platform: 'node',
      plugins: [etcdProtos],
    })
    const file = join(folder, 'loader.cjs')
    writeFileSync(file, bundled.outputFiles[0]?.text ?? '')
    return require(file) as Loader
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A message like `empty`, which has every field at its default, with other values where the type is plain. */
function filled(empty: object): object {
  const other = (value: unknown): unknown => {
    if (typeof value === 'string') return /^\d+$/.test(value) ? '9007199254740993' : value === '' ? 'x' : value
    if (typeof value === 'number') return 7
    if (typeof value === 'boolean') return true
    return Buffer.isBuffer(value) ? Buffer.from([0, 255]) : value
  }
  return Object.fromEntries(Object.entries(empty).map(([name, value]) => [name, other(value)]))
}

/** Messages as they come and go, with messages inside, lists, choices and numbers of every size. */
const REAL: readonly (readonly [service: string, method: string, side: 'request' | 'response', message: object])[] = [
  [
    'KV',
    'Range',
    'response',
    {
      header: {
        cluster_id: '18446744073709551615',
        member_id: '9007199254740991',
        revision: '9007199254740993',
        raft_term: '4',
      },
      kvs: Array.from({ length: 300 }, (_, i) => ({
        key: Buffer.from(`/k/${i}`),
        value: Buffer.alloc(i, 7),
        mod_revision: String(2 ** 31 + i),
        version: '1',
        lease: String(7587871623741370000n + BigInt(i)),
        create_revision: String(4294967295 + i),
      })),
      more: true,
      count: '-1',
    },
  ],
  [
    'KV',
    'Txn',
    'request',
    {
      compare: [
        { key: Buffer.from('a'), target: 'Mod', result: 'Equal', mod_revision: '0' },
        { key: Buffer.from('b'), target: 'Value', result: 'Greater', value: Buffer.alloc(300) },
      ],
      success: [
        { request_put: { key: Buffer.from('a'), value: Buffer.alloc(20_000, 1), lease: '-9223372036854775808' } },
        { request_txn: { compare: [], success: [{ request_delete_range: { key: Buffer.from('c') } }], failure: [] } },
      ],
      failure: [],
    },
  ],
  [
    'KV',
    'Range',
    'request',
    { key: Buffer.from('k'), limit: 1000, revision: '0', sort_order: 'Descend', keys_only: true },
  ],
  [
    'Watch',
    'Watch',
    'request',
    { create_request: { key: Buffer.from('k'), filters: ['Noput', 'Nodelete'], fragment: true } },
  ],
  [
    'Watch',
    'Watch',
    'response',
    {
      header: { revision: '7' },
      watch_id: '-5',
      compact_revision: '3',
      cancel_reason: 'gründlich',
      events: [
        { type: 'Delete', kv: { key: Buffer.from('x') } },
        { type: 'Put', kv: { key: Buffer.from('y') }, prev_kv: {} },
      ],
    },
  ],
]

test('messages inside messages are coded as by the loader it replaces', async (t) => {
  const file = join(dirname(etcd3.resolve('etcd3/package.json')), 'proto/rpc.proto')
  const real = (etcd3('@grpc/proto-loader') as Loader).loadSync(file, OPTIONS)
  const ours = (await standIn()).loadSync(file, OPTIONS)
  for (const [service, name, side, message] of REAL) {
    const theirs = real[`etcdserverpb.${service}`]?.[name]
    const own = ours[`etcdserverpb.${service}`]?.[name]
    if (theirs === undefined || own === undefined) return t.fail(`${service}.${name}`)
    const bytes = theirs[`${side}Serialize`](message)
    t.deepEqual(Buffer.from(own[`${side}Serialize`](message)), Buffer.from(bytes), `${service}.${name} ${side}`)
    t.deepEqual(plain(own[`${side}Deserialize`](bytes)), plain(theirs[`${side}Deserialize`](bytes)))
    // Cut anywhere, it is an error or a shorter message, never an endless loop or a read past the end.
    for (let length = 0; length < Math.min(bytes.length, 400); length++) {
      try {
        own[`${side}Deserialize`](bytes.subarray(0, length))
      } catch (error) {
        t.true(error instanceof RangeError, String(error))
      }
    }
  }
})

/** A message without prototypes, bytes as base64. */
function plain(message: object): unknown {
  return JSON.parse(JSON.stringify(message))
}

test('every method and message of etcd is coded as by the loader it replaces', async (t) => {
  const file = join(dirname(etcd3.resolve('etcd3/package.json')), 'proto/rpc.proto')
  const real = (etcd3('@grpc/proto-loader') as Loader).loadSync(file, OPTIONS)
  const ours = (await standIn()).loadSync(file, OPTIONS)
  const services = Object.keys(real).filter((name) => !('format' in (real[name] ?? {})))
  t.true(services.length >= 6)
  t.deepEqual(Object.keys(ours).sort(), services.sort())
  for (const service of services) {
    t.deepEqual(Object.keys(ours[service] ?? {}), Object.keys(real[service] ?? {}))
    for (const [name, theirs] of Object.entries(real[service] ?? {})) {
      const own = ours[service]?.[name]
      if (own === undefined) return t.fail(`${service}.${name}`)
      for (const field of ['path', 'originalName', 'requestStream', 'responseStream'] as const) {
        t.is(own[field], theirs[field], `${service}.${name}.${field}`)
      }
      for (const side of ['request', 'response'] as const) {
        const message = filled(theirs[`${side}Deserialize`](Buffer.alloc(0)))
        const bytes = theirs[`${side}Serialize`](message)
        t.deepEqual(Buffer.from(own[`${side}Serialize`](message)), bytes, `${service}.${name} ${side}`)
        t.deepEqual({ ...own[`${side}Deserialize`](bytes) }, { ...theirs[`${side}Deserialize`](bytes) })
      }
    }
  }
})
