// The option table as a convict schema, with its formats registered: convict takes variables over defaults, decodes texts and
// validates every value.
// Ours remain: the command line (convict's parser knows no Go flags: it reads -ip-masq=0 as true and drops unknown flags), empty
// variables (convict takes them as values), rules that span two options, and the message of a refusal (convict flattens its
// errors into one text that names neither flag nor variable).
import convict from 'convict'
import { messageOf } from '../errors.ts'
import type { Format } from './format.ts'
import { type NamedRow, ROWS, variableOf } from './table.ts'
import type { Options } from './type.ts'

// convict keeps one registry for the process. To register a format again under its name changes nothing.
for (const { format } of ROWS) convict.addFormat(format)

const SCHEMA: convict.Schema<Record<string, unknown>> = Object.fromEntries(
  ROWS.map((row) => [
    row.name,
    {
      doc: row.doc,
      default: row.default,
      format: row.format.name,
      env: variableOf(row.flag),
      sensitive: row.sensitive === true,
    },
  ]),
)

/** A value that breaks the rule of its option. */
interface BrokenRule {
  readonly row: NamedRow
  /** The text given that breaks it. */
  readonly text: string
  readonly rule: string
}

/** The values of the options, or the first that breaks its rule. */
export type Validated =
  { readonly ok: true; readonly options: Options } | { readonly ok: false; readonly broken: BrokenRule }

/** Validates the texts of flags, by the flag's name, over those of variables, over the defaults. */
export function validated(
  flags: ReadonlyMap<string, readonly string[]>,
  variables: Readonly<Record<string, string>>,
): Validated {
  const config = convict(SCHEMA, { args: [], env: variables })
  for (const row of ROWS) {
    const texts = flags.get(row.flag)
    if (texts === undefined) continue
    // convict decodes a text by the row's format, but takes a list as decoded.
    config.set(row.name, row.repeatable === true ? texts.flatMap(row.format.coerce) : texts.at(-1))
  }
  try {
    const values = config.validate({ allowed: 'strict' }).getProperties()
    // Every name of Options has a row (the type of TABLE holds that), and each value is of its format's type.
    return { ok: true, options: values as unknown as Options }
  } catch (error) {
    for (const row of ROWS) {
      const rule = ruleBroken(row.format, config.get(row.name))
      if (rule === undefined) continue
      const texts = flags.get(row.flag) ?? [variables[variableOf(row.flag)] ?? '']
      const breaks = (text: string): boolean => ruleBroken(row.format, row.format.coerce(text)) !== undefined
      return { ok: false, broken: { row, text: texts.findLast(breaks) ?? '', rule } }
    }
    throw error
  }
}

function ruleBroken(format: Format<unknown>, value: unknown): string | undefined {
  try {
    format.validate(value)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
