// The text of a network config without what is secret in it, to be printed. Pure.
import { BACKENDS } from '../../backends/index.ts'
import { HIDDEN } from '../text/secret.ts'

/** Keys of any backend whose values are secret. Found in any case, in a text that is no valid JSON too, and wherever they are. */
const KEYS = BACKENDS.flatMap(({ configKeys }) =>
  Object.keys(configKeys).filter((key) => configKeys[key]?.secret === true),
)
const PAIR = new RegExp(`("(?:${KEYS.join('|')})"\\s*:\\s*")((?:[^"\\\\]|\\\\.)*)`, 'gi')

/** The values that are secret, as the text has them. */
export function secretsIn(text: string): readonly string[] {
  return Array.from(text.matchAll(PAIR), ([, , value = '']) => value).filter((value) => value !== '')
}

/** The text with each secret replaced. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(PAIR, `$1${HIDDEN}`)
}
