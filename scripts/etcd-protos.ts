// An esbuild plugin: etcd3's gRPC definitions without files. etcd3 hands its .proto to @grpc/proto-loader at start, which
// parses it (40-56 ms) and makes a descriptor of every message (nobody asks for them). In the bundle a small loader stands
// in its place: the parsed definitions are data made at build time, and a message's codec is made when it is first used.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'

const require = createRequire(import.meta.url)

/** The JSON descriptor of etcd's RPC, as protobufjs reads it back, keeping the names of fields as etcd3 expects. */
function descriptor(): string {
  const requireByEtcd3 = createRequire(require.resolve('etcd3'))
  const requireByLoader = createRequire(requireByEtcd3.resolve('@grpc/proto-loader'))
  const { parse, Root } = requireByLoader('protobufjs') as Protobuf
  const folder = join(dirname(requireByEtcd3.resolve('etcd3/package.json')), 'proto')
  const root = new Root()
  for (const file of ['kv.proto', 'auth.proto', 'rpc.proto']) {
    parse(readFileSync(join(folder, file), 'utf8'), root, { keepCase: true })
  }
  return JSON.stringify(root.toJSON())
}

/** The two names of protobufjs used here. */
interface Protobuf {
  readonly Root: new () => { toJSON(): object }
  readonly parse: (source: string, root: object, options: { readonly keepCase: boolean }) => unknown
}

/**
 * What takes the loader's place: `loadSync` alone, which is all that etcd3 calls. Services are read off the descriptor;
 * its messages are looked at when the first is sent.
 */
const loader = `
const { Root } = require('protobufjs/light')
const options = { longs: String, enums: String, defaults: true, oneofs: true }
const descriptor = JSON.parse(require('etcd-descriptor'))
let root
const messages = (space, name) => {
  let type
  const codec = () => (type ??= (root ??= Root.fromJSON(descriptor)).lookup(space).lookupType(name))
  return {
    serialize: (value) => codec().encode(codec().fromObject(value)).finish(),
    deserialize: (bytes) => codec().toObject(codec().decode(bytes), options),
  }
}
// HashKV is hashKv, as lodash has it.
const camelCase = (name) => name[0].toLowerCase() + name.slice(1).replace(/(?<=[A-Z])[A-Z]+/g, (it) => it.toLowerCase())
const methodOf = (space, service, name, { requestType, responseType, requestStream, responseStream }) => {
  const request = messages(space, requestType)
  const response = messages(space, responseType)
  return {
    path: '/' + service + '/' + name,
    originalName: camelCase(name),
    requestStream: requestStream === true,
    responseStream: responseStream === true,
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
    options: {},
  }
}
exports.loadSync = () => {
  const definition = {}
  for (const [space, { nested }] of Object.entries(descriptor.nested)) {
    for (const [name, { methods }] of Object.entries(nested)) {
      if (methods === undefined) continue
      const service = space + '.' + name
      definition[service] = Object.fromEntries(
        Object.entries(methods).map(([method, it]) => [method, methodOf(space, service, method, it)]),
      )
    }
  }
  return definition
}
`

/** The plugin; `@grpc/proto-loader` and the .proto files are not needed beside the bundle. */
export const etcdProtos: Plugin = {
  name: 'etcd-protos',
  setup(build) {
    build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ resolveDir }) => ({
      path: 'proto-loader',
      namespace: 'etcd-protos',
      pluginData: resolveDir,
    }))
    build.onResolve({ filter: /^etcd-descriptor$/ }, () => ({ path: 'descriptor', namespace: 'etcd-protos' }))
    build.onLoad({ filter: /^proto-loader$/, namespace: 'etcd-protos' }, ({ pluginData }) => ({
      contents: loader,
      loader: 'js',
      resolveDir: String(pluginData),
    }))
    build.onLoad({ filter: /^descriptor$/, namespace: 'etcd-protos' }, () => ({
      contents: descriptor(),
      loader: 'text',
    }))
  },
}
