// Subnets for tests to use that no host has leased.

/** The first of 10.2.200.0, 10.2.201.0, ... that is none of `taken`, each "10.2.3.0" or as in subnet.env, "10.2.3.1/24". */
export function subnetBeside(...taken: readonly string[]): string {
  const third = new Set(taken.map((text) => text.split('.')[2]))
  for (let n = 200; n < 256; n++) if (!third.has(String(n))) return `10.2.${n}.0`
  throw new Error(`no subnet is free next to ${taken.join(', ')}`)
}
