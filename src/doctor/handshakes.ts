// When WireGuard last agreed on keys with a peer: without that nothing is sent to it, whatever the kernel's entries are.
import type { LiveKernel } from '../kernel/live.ts'
import type { Link } from '../kernel/state.ts'
import type { Prefix } from '../ip/prefix.ts'
import { span } from '../text/duration.ts'
import type { ExpectedPlan } from './expected-state.ts'
import type { Facts } from './facts.ts'

/** A session that is used is agreed on anew every two minutes (wireguard.com/protocol); one older than this is none. Milliseconds. */
const SESSION_MS = 180_000

/** The last handshake with each peer of these devices, by public key; milliseconds since 1970, 0: never. */
export async function readHandshakes(
  kernel: LiveKernel,
  devices: readonly Link[],
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for (const { type, name } of devices) {
    if (type !== 'wireguard') continue
    const device = await kernel.wireguard(name).catch(() => undefined)
    for (const { publicKey, handshake } of device?.peers ?? []) found.set(publicKey, handshake)
  }
  return found
}

/** What is wrong with the session of a peer; undefined when nothing is, and for one that is reached without WireGuard. */
export function handshakeNote({ host, now }: Facts, { wanted }: ExpectedPlan, subnet: Prefix): string | undefined {
  const object = wanted.find((one) => one.peer === subnet && one.object.kind === 'wireguard-peer')?.object
  if (object?.kind !== 'wireguard-peer') return undefined
  const last = host.handshakes.get(object.publicKey) ?? 0
  if (now - last < SESSION_MS) return undefined
  const when =
    last === 0 ? 'no WireGuard handshake with it yet' : `last WireGuard handshake ${span((now - last) / 1000)} ago`
  return `${when}: its host has another key for us, or none, or UDP is blocked: wg show there`
}
