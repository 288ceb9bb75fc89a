// A number with its noun. Pure.

/** "1 peer", "7 peers". */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
