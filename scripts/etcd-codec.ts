// Makes JavaScript that codes one protobuf message type each, from protobufjs' reflection of a .proto: what proto-loader
// would put together at run time, made when the bundle is. What comes out is what proto-loader gives with `longs: String,
// enums: String, defaults: true, oneofs: true`, without a class or a Long for any message in between.
// Invariant: a type nobody has thought of fails the build, not a daemon.

/** What is used of protobufjs' Type. */
export interface MessageType {
  readonly fullName: string
  readonly fieldsArray: readonly Field[]
  readonly oneofsArray: readonly { readonly name: string; readonly fieldsArray: readonly Field[] }[]
}

/** What is used of protobufjs' Field. */
export interface Field {
  readonly name: string
  readonly id: number
  readonly type: string
  readonly repeated: boolean
  readonly map: boolean
  readonly partOf: { readonly name: string } | null
  readonly resolvedType: MessageType | Enum | null
}

/** What is used of protobufjs' Enum. */
export interface Enum {
  readonly fullName: string
  readonly values: Readonly<Record<string, number>>
}

/** How a type is written and read. `$` stands for the value; `wire` is its wire type, `none` what it is when absent. */
interface Coding {
  readonly wire: 0 | 2
  readonly write: string
  readonly read: string
  readonly none: string
}

const SCALARS: Readonly<Record<string, Coding>> = {
  bytes: { wire: 2, write: 'bytes($)', read: 'readBytes()', none: 'EMPTY' },
  string: { wire: 2, write: 'text($)', read: 'readText()', none: "''" },
  bool: { wire: 0, write: 'u32($ ? 1 : 0)', read: 'readBool()', none: 'false' },
  uint32: { wire: 0, write: 'u32($ >>> 0)', read: 'readU32()', none: '0' },
  int64: { wire: 0, write: 'i64($)', read: 'readI64()', none: "'0'" },
  uint64: { wire: 0, write: 'i64($)', read: 'readU64()', none: "'0'" },
}

/** The name of a type in the text: `etcdserverpb_RangeRequest`. */
export function nameOf({ fullName }: { readonly fullName: string }): string {
  return fullName.replace(/^\./, '').replaceAll('.', '_')
}

/** Text that declares `encode_NAME(message)` and `decode_NAME(end)`; WIRE (etcd-wire.ts) stands before it. */
export function codecOf(type: MessageType): string {
  return `${encoder(type)}${decoder(type)}`
}

/** Text that declares the names and numbers of an enumeration, as codecs use them. */
export function enumOf(one: Enum): string {
  const byNumber = Object.fromEntries(Object.entries(one.values).map(([name, number]) => [number, name]))
  return `const ${nameOf(one)} = ${JSON.stringify(one.values)}, ${nameOf(one)}_names = ${JSON.stringify(byNumber)}\n`
}

function codingOf(field: Field): Coding {
  const { type, resolvedType, map } = field
  const scalar = SCALARS[type]
  if (map || (scalar === undefined && resolvedType === null)) throw new Error(`etcd-codec: ${field.name}: ${type}`)
  if (scalar !== undefined) return scalar
  if (resolvedType === null) throw new Error(`etcd-codec: ${field.name}: ${type}`)
  const name = nameOf(resolvedType)
  if (!('values' in resolvedType))
    return { wire: 2, write: `nested(encode_${name}, $)`, read: `readNested(decode_${name})`, none: 'null' }
  const first = Object.keys(resolvedType.values)[0] ?? ''
  return { wire: 0, write: `u32(number(${name}, $))`, read: `word(${name}_names)`, none: `'${first}'` }
}

function encoder(type: MessageType): string {
  const fields = type.fieldsArray
    .toSorted((a, b) => a.id - b.id)
    .map((field) => {
      const { wire, write } = codingOf(field)
      const value = `m.${field.name}`
      const one = (it: string): string => `u32(${(field.id << 3) | wire}); ${write.replaceAll('$', it)}`
      if (!field.repeated) return `  if (${value} != null) { ${one(value)} }\n`
      if (wire === 2) return `  for (const it of ${value} ?? []) { ${one('it')} }\n`
      // Numbers are packed (proto3).
      const all = `() => { for (const it of ${value}) ${write.replaceAll('$', 'it')} }`
      return `  if (${value}?.length) { u32(${(field.id << 3) | 2}); nested(${all}) }\n`
    })
  return `function encode_${nameOf(type)}(m) {\n${fields.join('')}}\n`
}

function decoder(type: MessageType): string {
  const alone = type.fieldsArray.filter(({ partOf }) => partOf === null)
  const empty = alone.map((field) => `${field.name}: ${field.repeated ? '[]' : codingOf(field).none}`)
  const cases = type.fieldsArray.map((field) => {
    const { wire, read } = codingOf(field)
    const { id, name, partOf } = field
    if (field.repeated) {
      const one = `      case ${(id << 3) | wire}: m.${name}.push(${read}); break\n`
      if (wire === 2) return one
      return `${one}      case ${(id << 3) | 2}: for (const to = readEnd(); at < to;) m.${name}.push(${read}); break\n`
    }
    return `      case ${(id << 3) | wire}: m.${name} = ${read};${partOf === null ? '' : ` m.${partOf.name} = '${name}';`} break\n`
  })
  return `function decode_${nameOf(type)}(end) {
  const m = { ${empty.join(', ')} }
  while (at < end) {
    const tag = readU32()
    switch (tag) {
${cases.join('')}      default: skip(tag)
    }
  }
  return m
}
`
}
