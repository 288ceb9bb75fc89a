// What `nft -j list ruleset` says, as values (libnftables-json(5)). Pure; what is not understood is left out.

/** A rule: its handle, and its statements as nft names them. */
export interface NftRule {
  readonly handle: number
  readonly statements: readonly Readonly<Record<string, unknown>>[]
}

/** A chain; hook and policy of base chains only. */
export interface NftChain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook: string | undefined
  readonly policy: string | undefined
  readonly rules: readonly NftRule[]
}

/** A set with its elements that are plain words. */
export interface NftSet {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly elements: ReadonlySet<string>
  /** Packets of elements that count them. */
  readonly packets: ReadonlyMap<string, number>
}

/** The ruleset. */
export interface NftRuleset {
  readonly tables: readonly string[]
  readonly chains: readonly NftChain[]
  readonly sets: readonly NftSet[]
}

type Fields = Readonly<Record<string, unknown>>

/** Reads it; empty for what is no such text. */
export function parseNft(text: string): NftRuleset {
  const items = itemsOf(text)
  const named = (name: string): readonly Fields[] =>
    items.map((item) => fieldsOf(item[name])).filter((one) => one !== undefined)
  const rules = named('rule')
  const same = (a: Fields, b: Fields): boolean => a['family'] === b['family'] && a['table'] === b['table']
  return {
    tables: items.flatMap((item) => {
      const table = fieldsOf(item['table'])
      return table === undefined ? [] : [`${word(table['family'])} ${word(table['name'])}`]
    }),
    chains: named('chain').map((chain) => ({
      family: word(chain['family']),
      table: word(chain['table']),
      name: word(chain['name']),
      hook: chain['hook'] === undefined ? undefined : word(chain['hook']),
      policy: chain['policy'] === undefined ? undefined : word(chain['policy']),
      rules: rules
        .filter((rule) => same(rule, chain) && rule['chain'] === chain['name'])
        .map((rule) => ({ handle: Number(rule['handle']), statements: list(rule['expr']) })),
    })),
    sets: named('set').map((set) => ({
      family: word(set['family']),
      table: word(set['table']),
      name: word(set['name']),
      elements: new Set(
        Array.isArray(set['elem']) ? set['elem'].filter((one: unknown) => typeof one === 'string') : [],
      ),
      packets: new Map(
        list(set['elem']).flatMap((one) => {
          const element = fieldsOf(one['elem'])
          const counter = fieldsOf(element?.['counter'])
          return element === undefined || counter === undefined
            ? []
            : [[word(element['val']), Number(counter['packets'])]]
        }),
      ),
    })),
  }
}

/** Whether a rule drops or rejects what matches it. */
export function drops({ statements }: NftRule): boolean {
  return statements.some((statement) => 'drop' in statement || 'reject' in statement)
}

/** Whether a rule lets in what matches it, or hands it to other rules. */
export function mayAccept({ statements }: NftRule): boolean {
  return statements.some((statement) => ['accept', 'jump', 'goto', 'vmap'].some((verb) => verb in statement))
}

/** Whether a rule matches by UDP's destination port, this one. */
export function matchesPort({ statements }: NftRule, port: number): boolean {
  return statements.some((statement) => {
    const match = fieldsOf(statement['match'])
    const payload = fieldsOf(fieldsOf(match?.['left'])?.['payload'])
    return payload?.['field'] === 'dport' && match?.['op'] === '==' && holds(match['right'], port)
  })
}

/** A rule on one line, for people. */
export function showRule({ family, table, name }: NftChain, { handle, statements }: NftRule): string {
  return `nft rule ${family} ${table} ${name} handle ${handle}: ${JSON.stringify(statements).slice(0, 160)}`
}

/** A number, a range of numbers or a set of both. */
function holds(right: unknown, port: number): boolean {
  if (right === port) return true
  const fields = fieldsOf(right)
  const range = fields?.['range']
  if (Array.isArray(range)) return Number(range[0]) <= port && port <= Number(range[1])
  const set = fields?.['set']
  return Array.isArray(set) && set.some((one) => holds(one, port))
}

function itemsOf(text: string): readonly Fields[] {
  try {
    return list(fieldsOf(JSON.parse(text))?.['nftables'])
  } catch {
    return []
  }
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf).filter((one) => one !== undefined) : []
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
