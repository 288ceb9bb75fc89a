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

test('every method and message of etcd is coded as by the loader it replaces', async (t) => {
  const file = join(dirname(etcd3.resolve('etcd3/package.json')), 'proto/rpc.proto')
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }
  const real = (etcd3('@grpc/proto-loader') as Loader).loadSync(file, options)
  const ours = (await standIn()).loadSync(file, options)
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
