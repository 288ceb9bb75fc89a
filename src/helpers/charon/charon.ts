// strongSwan's charon as a helper. It outlives the daemon: packets go on while that is restarted, and the next daemon goes on with it.
import type { CharonHelper, CharonPeer } from '../../health/outside-kernel.ts'
import { OperatorError } from '../../errors.ts'
import { deleteAssociations, ownAssociations } from '../../kernel/associations.ts'
import type { Log } from '../../log.ts'
import { printable } from '../../text/plain-text.ts'
import { viciText } from '../vici/message.ts'
import type { HelperContext, HelperDriver, HelperPeers, RunningHelper } from '../driver.ts'
import { CHARON_FOLDER, type Charon, endCharon, isLeft, missingPort, openCharon } from './program.ts'
import { Tunnels } from './tunnels.ts'

/** Characters of a line of charon's in our log. */
const MOST_LINE = 300
/** Peers named among the facts. */
const LISTED = 5

export const charonDriver: HelperDriver<CharonHelper, CharonPeer> = {
  type: 'charon',
  makesDevices: false,
  start: (wanted, context) => startCharon(wanted, context, CHARON_FOLDER),
  endLeft: () => (isLeft(CHARON_FOLDER) ? endLeft(CHARON_FOLDER) : undefined),
}

/** Ends a charon, and what one that died has left in the kernel. */
async function endLeft(folder: string): Promise<void> {
  await endCharon(folder)
  await deleteAssociations(await ownAssociations())
}

/** Starts charon with its files in `folder`. */
async function startCharon(
  wanted: CharonHelper,
  { ended, log }: HelperContext,
  folder: string,
): Promise<RunningHelper<CharonHelper, CharonPeer>> {
  const charon = await openCharon(folder, wanted)
  const { client } = charon
  try {
    await hearLog(charon, log)
    await giveKey(charon, wanted)
    const port = await missingPort(charon.pid)
    if (port !== undefined)
      throw new OperatorError(
        `charon cannot have UDP port ${port}: stop the other IKE daemon (ss -ulpn sport = :${port} shows which), or give flanneld CAP_NET_BIND_SERVICE`,
      )
  } catch (error) {
    await endCharon(folder)
    throw error
  }
  const tunnels = new Tunnels(client, log)
  await tunnels.listen()
  let stopping = false
  void client.closed.then(() => {
    tunnels.close()
    if (!stopping) ended('charon ended')
  })
  return {
    async update(next) {
      await giveKey(charon, next)
      tunnels.renew()
      return true
    },
    peers(all: HelperPeers<CharonPeer>, changed) {
      tunnels.peers(all, changed)
    },
    facts() {
      const { wanted: connections, up } = tunnels.counts
      const down = tunnels.down.slice(0, LISTED).join(' ')
      return { process: charon.pid, connections, up, ...(down === '' ? {} : { down }) }
    },
    async stop(reason) {
      stopping = true
      tunnels.close()
      client.close()
      if (reason === 'unwanted') await endLeft(folder)
    },
  }
}

/** charon's lines are for those who look for a fault (-v=1). */
async function hearLog({ client }: Charon, log: Log): Promise<void> {
  await client.listen('log', (event) => {
    const line = printable(viciText(event, 'msg'), MOST_LINE)
    const of = viciText(event, 'ikesa-name')
    log.debug(1, `charon: ${of === '' ? '' : `${printable(of, 60)}: `}${line}`)
  })
}

/** One key for all peers. */
async function giveKey({ client }: Charon, { psk }: CharonHelper): Promise<void> {
  await client.request('load-shared', { id: 'flannel', type: 'IKE', data: psk.reveal(), owners: [] })
}
