// Statistics over samples: pure. Invariant: an empty list of samples has none, and is an error.

/** The value that `share` (0..1) of the samples do not exceed: nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('percentile: no samples')
  return value
}

/** The middle sample; of an even number the mean of both. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  if (low === undefined || high === undefined) throw new RangeError('median: no samples')
  return (low + high) / 2
}

/** How much samples grow from each to the next, by the straight line with the least squares. */
export function slope(samples: readonly number[]): number {
  if (samples.length < 2) throw new RangeError('slope: fewer than two samples')
  const middle = (samples.length - 1) / 2
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length
  let [over, under] = [0, 0]
  for (const [i, value] of samples.entries()) {
    over += (i - middle) * (value - mean)
    under += (i - middle) ** 2
  }
  return over / under
}
