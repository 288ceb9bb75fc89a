// What the kernel answers when it refuses, and the KernelError made of it.
import { constants } from 'node:os'
import { KernelError } from '../errors.ts'

/** The errno values by name, as in errno(3). */
export const ERRNO = constants.errno

const NAMES = new Map(Object.entries(ERRNO).map(([name, number]) => [number, name]))
// Two names for one number on Linux; ip(8) and strace say this one.
NAMES.set(ERRNO.EOPNOTSUPP, 'EOPNOTSUPP')
NAMES.set(ERRNO.EAGAIN, 'EAGAIN')

/** A refusal: a positive errno and the kernel's own words (extended ack), often none. */
export interface Refusal {
  readonly errno: number
  readonly detail: string
}

/** A refusal as an error; `what` says what was tried, on what. */
export function kernelError(what: string, refusal: Refusal): KernelError {
  return new KernelError(what, refusal.errno, NAMES.get(refusal.errno) ?? `errno ${refusal.errno}`, refusal.detail)
}

/** `result` of an addon call, or a KernelError when it is negative. */
export function orThrow(what: string, result: number): number {
  if (result < 0) throw kernelError(what, { errno: -result, detail: '' })
  return result
}
