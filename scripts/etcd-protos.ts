// An esbuild plugin: etcd3's gRPC definitions without files. etcd3 hands its .proto to @grpc/proto-loader at start, which
// parses it (40-56 ms) and makes codecs of what it finds. In the bundle a small loader stands in its place: the services as
// data and a codec for each message (etcd-codec.ts), both made at build time.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'
import { type Enum, type MessageType, codecOf, enumOf, nameOf } from './etcd-codec.ts'
import { WIRE } from './etcd-wire.ts'

const require = createRequire(import.meta.url)

/** What is used of protobufjs: a namespace of messages, enumerations, services and further namespaces. */
interface Space {
  readonly fullName: string
  readonly nestedArray?: readonly Space[]
  readonly fieldsArray?: MessageType['fieldsArray']
  readonly values?: Enum['values']
  readonly methods?: Readonly<Record<string, Method>>
  lookupType(name: string): MessageType
}
interface Method {
  readonly requestType: string
  readonly responseType: string
  readonly requestStream?: boolean
  readonly responseStream?: boolean
}
interface Protobuf {
  readonly Root: new () => Space & { resolveAll(): void }
  readonly parse: (source: string, root: object, options: { readonly keepCase: boolean }) => unknown
}

/** All that etcd's RPC has, flat; fields keep the names that etcd3 expects. */
function definitions(): readonly Space[] {
  const requireByEtcd3 = createRequire(require.resolve('etcd3'))
  const requireByLoader = createRequire(requireByEtcd3.resolve('@grpc/proto-loader'))
  const { parse, Root } = requireByLoader('protobufjs') as Protobuf
  const folder = join(dirname(requireByEtcd3.resolve('etcd3/package.json')), 'proto')
  const root = new Root()
  for (const file of ['kv.proto', 'auth.proto', 'rpc.proto']) {
    parse(readFileSync(join(folder, file), 'utf8'), root, { keepCase: true })
  }
  root.resolveAll()
  const flat = (space: Space): readonly Space[] => [space, ...(space.nestedArray ?? []).flatMap(flat)]
  return flat(root)
}

/** HashKV is hashKv, as lodash has it. */
function camelCase(name: string): string {
  return (name[0] ?? '').toLowerCase() + name.slice(1).replace(/(?<=[A-Z])[A-Z]+/g, (it) => it.toLowerCase())
}

/** What takes the loader's place: `loadSync` alone, which is all that etcd3 calls. */
function loader(): string {
  const all = definitions()
  const services = all.flatMap((space) => {
    const { fullName, methods } = space
    if (methods === undefined) return []
    const service = fullName.slice(1)
    const members = Object.entries(methods).map(
      ([name, { requestType, responseType, requestStream, responseStream }]) => {
        const request = nameOf(space.lookupType(requestType))
        const response = nameOf(space.lookupType(responseType))
        const streams = `${requestStream === true}, ${responseStream === true}`
        return `${name}: methodOf('/${service}/${name}', '${camelCase(name)}', ${streams}, codec_${request}, codec_${response})`
      },
    )
    return [`'${service}': { ${members.join(',\n')} }`]
  })
  const enums = all.filter((space): space is Space & Enum => space.values !== undefined)
  const types = all.filter((space): space is Space & MessageType => space.fieldsArray !== undefined)
  const codecs = types.map((type) => {
    const name = nameOf(type)
    return `${codecOf(type)}const codec_${name} = { encode: encodeBy(encode_${name}), decode: decodeBy(decode_${name}) }\n`
  })
  return `${WIRE}
const methodOf = (path, originalName, requestStream, responseStream, request, response) => ({
  path,
  originalName,
  requestStream,
  responseStream,
  requestSerialize: request.encode,
  requestDeserialize: request.decode,
  responseSerialize: response.encode,
  responseDeserialize: response.decode,
  options: {},
})
${enums.map(enumOf).join('')}${codecs.join('')}
exports.loadSync = () => ({ ${services.join(',\n')} })
`
}

/** The plugin; `@grpc/proto-loader` and the .proto files are not needed at run time. */
export const etcdProtos: Plugin = {
  name: 'etcd-protos',
  setup(build) {
    build.onResolve({ filter: /^@grpc\/proto-loader$/ }, () => ({ path: 'proto-loader', namespace: 'etcd-protos' }))
    build.onLoad({ filter: /^proto-loader$/, namespace: 'etcd-protos' }, () => ({ contents: loader(), loader: 'js' }))
  },
}
