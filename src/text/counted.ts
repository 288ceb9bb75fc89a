// A number with its noun. Pure.

/** "1 peer", "7 peers", "2 addresses", "3 policies". */
export function counted(n: number, noun: string): string {
  return `${n} ${n === 1 ? noun : manyOf(noun)}`
}

function manyOf(noun: string): string {
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`
  return /(s|x|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`
}
