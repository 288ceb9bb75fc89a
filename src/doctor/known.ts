// What doctor knows before it looks.
import type { Options } from '../options/type.ts'

/** A value, or why it is not known. */
export type Known<T> = { readonly value: T } | { readonly unknown: string }

/** Options without what is secret. */
export type PublicOptions = Omit<Options, 'etcdPassword'>
