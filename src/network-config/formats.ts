// The formats of values in the network config, as convict and the parser have them: each throws the rule that a value breaks.
// JSON is typed, so nothing is decoded.
import { invisibleIn } from '../text/odd-characters.ts'

/** A kind of value. */
export interface ValueFormat<T> {
  /** Its name in convict's registry, which is one for the process. */
  readonly name: string
  /** Throws an Error whose message is the rule. */
  readonly validate: (value: unknown) => asserts value is T
}

export const configBoolean: ValueFormat<boolean> = {
  name: 'config-boolean',
  validate(value): asserts value is boolean {
    if (typeof value === 'boolean') return
    broken(`must be true or false${value === 'true' || value === 'false' ? ', without quotes' : ''}`)
  },
}

export const text: ValueFormat<string> = {
  name: 'config-text',
  validate(value): asserts value is string {
    if (typeof value !== 'string') return broken('must be a text in double quotes')
    const odd = invisibleIn(value)
    if (odd !== undefined) broken(`has ${odd}: take it out`)
    if (value !== value.trim()) broken(`has a space at its ${value.startsWith(' ') ? 'beginning' : 'end'}: take it out`)
  },
}

/** An integer from `min` to `max`. `why` says where the bounds are from, if they are not the key's own. */
export function configInteger(min: number, max: number, why?: string): ValueFormat<number> {
  return {
    name: `config-integer-${min}-${max}`,
    validate(value): asserts value is number {
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return
      const quoted = typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? ', without quotes' : ''
      broken(`must be an integer from ${min} to ${max}${quoted}${why === undefined ? '' : `: ${why}`}`)
    },
  }
}

function broken(rule: string): never {
  throw new Error(rule)
}

/** A text, such as a command. `check` returns the rule that a value breaks. */
export function configText(check?: (value: string) => string | undefined): ValueFormat<string> {
  return {
    name: 'config-checked-text',
    validate(value): asserts value is string {
      if (typeof value !== 'string') return broken('must be a text in double quotes')
      const rule = check?.(value)
      if (rule !== undefined) broken(rule)
    },
  }
}

/** One of a few texts. */
export function configChoice(choices: readonly string[]): ValueFormat<string> {
  return {
    name: `config-choice-${choices.join('-')}`,
    validate(value): asserts value is string {
      if (typeof value !== 'string' || !choices.includes(value))
        broken(`must be one of ${choices.map((one) => `"${one}"`).join(', ')}`)
    },
  }
}
