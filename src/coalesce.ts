// Level-triggered work: however often it is asked for, it runs one at a time, and once more after the last asking.

/** Asks for `work`; the promise resolves after a run that began after this asking. Rejections of `work` go to `failed`. */
export function coalesce(work: () => Promise<void>, failed: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const run = (): Promise<void> =>
    work()
      .catch(failed)
      .finally(() => (running = undefined))
  return () => {
    if (running === undefined) return (running = run())
    next ??= running.then(() => {
      next = undefined
      return (running = run())
    })
    return next
  }
}
