// A guarded host, a peer and a stranger, for the tests of the guard of the VXLAN port.
import type { ExecutionContext } from 'ava'
import { createGuard, type Guard } from '../../../src/firewall/nftables/guard.ts'
import { createLog } from '../../../src/log.ts'
import { type Host, type Lab, createLab } from '../world/lab.ts'
import type { Guarded } from '../../../src/firewall/nftables/guard-ruleset.ts'
import { NUMBERINGS, type Numbering } from './numbering.ts'

/** A guard of one VXLAN device. */
export function guardedPort({ port = 8472, vni = 1 } = {}, { device, network }: Numbering = NUMBERINGS[4]): Guarded {
  const arrival = { type: 'vxlan', port, vni } as const
  return { devices: [{ arrival, device: device.replace(/1$/, String(vni)), network, own: [] }], allowed: [] }
}

export const PORT = guardedPort()

/** The addresses within the tunnel. */
export function innerOf({ within }: Numbering): Readonly<Record<'guarded' | 'peer' | 'stranger', string>> {
  return { guarded: within(1, 0), peer: within(2, 0), stranger: within(3, 0) }
}

export const INNER = innerOf(NUMBERINGS[4])

/** Three hosts with a tunnel, one of them with a guard. */
export interface GuardHosts {
  readonly lab: Lab
  readonly host: Host
  readonly peer: Host
  readonly stranger: Host
  readonly guard: Guard
}

/** A guarded host, a peer and a stranger; all three have flannel.1 and know where the others are. */
export async function createGuardHosts(t: ExecutionContext, numbering = NUMBERINGS[4]): Promise<GuardHosts> {
  const inner = innerOf(numbering)
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [host, peer, stranger] = await Promise.all([lan.host(121), lan.host(122), lan.host(123)])
  await Promise.all([
    createVxlan(host, inner.guarded, [peer, stranger], 1, numbering),
    createVxlan(peer, inner.peer, [host], 1, numbering),
    createVxlan(stranger, inner.stranger, [host], 1, numbering),
  ])
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const guard = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    guard.stop()
  })
  return { lab, host, peer, stranger, guard }
}

/** Makes a tunnel's device with an address whose neighbours are all hosts of the network. */
export async function createVxlan(
  host: Host,
  inner: string,
  others: readonly Host[],
  vni = 1,
  { device: first, family, of }: Numbering = NUMBERINGS[4],
): Promise<void> {
  const device = first.replace(/1$/, String(vni))
  const dotted = device.replace('.', '/')
  const own = family === 4 ? `${inner}/8` : `${inner}/48`
  await host.run(`set -e
    ip link add ${device} type vxlan id ${vni} local ${of(host)} dev enp0s3 dstport 8472 nolearning
    sysctl -q -w net.ipv6.conf.${dotted}.accept_dad=0 net.ipv6.conf.${dotted}.keep_addr_on_down=1
    ip addr add ${own} dev ${device} && ip link set ${device} up`)
  for (const other of others) await host.run(`bridge fdb append 00:00:00:00:00:00 dev ${device} dst ${of(other)}`)
}

export async function pings(from: Host, to: string, count = 1): Promise<boolean> {
  return from.run(`ping -c ${count} -i 0.05 -W 1 ${to}`).then(
    () => true,
    () => false,
  )
}
