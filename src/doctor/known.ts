// Types shared by all of doctor: a value that may be unknown, and the options without the password.
import type { Options } from '../options/type.ts'

/** A value, or why it is not known. */
export type Known<T> = { readonly value: T } | { readonly unknown: string }

/** The value where it is known. */
export function valueIn<T>(known: Known<T>): T | undefined {
  return 'value' in known ? known.value : undefined
}

/** Options without what is secret. */
export type PublicOptions = Omit<Options, 'etcdPassword'>
