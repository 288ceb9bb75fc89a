// Does a damage while containers ping, and waits for the host to be repaired: the runner for all damages done by hand.
import type { ExecutionContext } from 'ava'
import type { Node } from './cluster.ts'
import { READ_KERNEL, kernelText, partKernelText } from '../instruments/kernel-text.ts'
import { startPings } from '../instruments/ping.ts'
import { waitFor } from '../instruments/wait.ts'

/** A machine with a load of 15 gets there, too. Milliseconds. */
const LATEST = 60_000

/** What the wait came to. */
export interface Repair {
  /** Milliseconds from the end of the damaging command until the kernel read as before (the reading included). */
  readonly ms: number
  /** Longest time without an answered ping, in milliseconds. */
  readonly gap: number
}

/**
 * Runs `script` on `own`, and waits for its kernel to be as it was, for all that is ours; what is not ours must stay as the
 * script left it. Then pings flow again. `read` is the script that prints what is compared.
 */
export async function damageAndAwaitRepair(
  t: ExecutionContext,
  own: Node,
  peer: Node,
  script: string,
  read = READ_KERNEL,
): Promise<Repair> {
  const pings = await startPings(own.container, peer.container.address)
  await waitFor('pings', () => pings.received() > 5)
  const before = await kernelText(own.host, read)
  const printed = await own.host.run(`set -e; { ${script}\n} >/dev/null; set +e; date +%s%3N; ${read}`)
  const start = Number(printed.slice(0, printed.indexOf('\n')))
  const damaged = partKernelText(printed.slice(printed.indexOf('\n')))

  let last = before.ours
  const whole = async (): Promise<number | false> => {
    last = (await kernelText(own.host, read)).ours
    return last === before.ours && Date.now()
  }
  const end = await waitFor('whole', whole, LATEST).catch(() => undefined)
  if (end === undefined) t.log(own.daemon.output())
  t.is(last, before.ours, 'the kernel is as it was')
  const flowing = pings.received()
  await waitFor('pings after it', () => pings.received() > flowing + 5)
  const { longestGap } = await pings.stop()
  t.is((await kernelText(own.host, read)).foreign, damaged.foreign, 'what is not ours is untouched')
  return { ms: (end ?? Infinity) - start, gap: longestGap }
}
