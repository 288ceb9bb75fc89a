// What a renewal that changes nothing costs the kernel and the log: nothing.
import { waitFor } from '../test/lab/instruments/wait.ts'
import { timedStart } from './daemon.ts'
import type { Measurement } from './figure.ts'
import { KernelWatch } from './kernel-watch.ts'
import { onStage } from './stage.ts'

export const renewals: Measurement = {
  name: 'renewals',
  measure(quick) {
    const peers = quick ? 1_000 : 10_000
    return onStage(peers, async (stage) => {
      const host = await stage.host()
      const { daemon } = await timedStart(host, peers)
      const kernel = new KernelWatch(host.pid)
      // Notifications of the start itself may still arrive.
      for (let before = -1; before !== kernel.notifications;) {
        before = kernel.notifications
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
      /** What one joining peer causes after `before`. Events arrive in order, so all earlier ones are done by then. */
      const join = async (i: number, before: () => Promise<void>): Promise<{ writes: number; lines: number }> => {
        const [writes, lines, routes] = [kernel.notifications, linesOf(daemon.output()), kernel.routes]
        await before()
        await stage.fill(1, i)
        await waitFor('the peer that joined', () => kernel.routes > routes, 60_000)
        await new Promise((resolve) => setTimeout(resolve, 1000))
        return { writes: kernel.notifications - writes, lines: linesOf(daemon.output()) - lines }
      }
      const alone = await join(peers, async () => undefined)
      const after = await join(peers + 1, () => stage.fill(peers))
      kernel.close()
      await daemon.stop()
      const at = `${peers.toLocaleString('en')} renewals`
      const goal = { of: 'measured', most: 0 } as const
      return [
        { what: 'netlink writes for unchanged leases', at, unit: '', measured: after.writes - alone.writes, goal },
        { what: 'log lines for unchanged leases', at, unit: '', measured: after.lines - alone.lines, goal },
      ]
    })
  },
}

function linesOf(text: string): number {
  return text.split('\n').length
}
