// A guarded host, a peer and a stranger, for the tests of the guard of the VXLAN port.
import type { ExecutionContext } from 'ava'
import { createGuard, type Guard } from '../../../src/firewall/nftables/guard.ts'
import { createLog } from '../../../src/log.ts'
import { type Host, type Lab, createLab } from '../world/lab.ts'
import { prefix } from '../../fake/values.ts'

const FAMILY = { device: 'flannel.1', network: prefix('10.2.0.0/16'), own: [] }
export const PORT = { port: 8472, vni: 1, families: [FAMILY], allowed: [] }
export const INNER = { guarded: '10.2.1.0', peer: '10.2.2.0', stranger: '10.2.3.0' }

/** Three hosts with a tunnel, one of them with a guard. */
export interface GuardHosts {
  readonly lab: Lab
  readonly host: Host
  readonly peer: Host
  readonly stranger: Host
  readonly guard: Guard
}

/** A guarded host, a peer and a stranger; all three have flannel.1 and know where the others are. */
export async function createGuardHosts(t: ExecutionContext): Promise<GuardHosts> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const [host, peer, stranger] = await Promise.all([lan.host(121), lan.host(122), lan.host(123)])
  await Promise.all([
    createVxlan(host, INNER.guarded, [peer, stranger]),
    createVxlan(peer, INNER.peer, [host]),
    createVxlan(stranger, INNER.stranger, [host]),
  ])
  const netns = `/proc/${host.pid}/ns/net`
  const log = createLog('test', 0, () => undefined)
  const guard = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    guard.stop()
  })
  return { lab, host, peer, stranger, guard }
}

export async function createVxlan(host: Host, inner: string, others: readonly Host[], vni = 1): Promise<void> {
  const device = `flannel.${vni}`
  await host.run(`ip link add ${device} type vxlan id ${vni} local ${host.address} dev enp0s3 dstport 8472 nolearning
    ip addr add ${inner}/8 dev ${device} && ip link set ${device} up`)
  for (const other of others) await host.run(`bridge fdb append 00:00:00:00:00:00 dev ${device} dst ${other.address}`)
}

export async function pings(from: Host, to: string, count = 1): Promise<boolean> {
  return from.run(`ping -c ${count} -i 0.05 -W 1 ${to}`).then(
    () => true,
    () => false,
  )
}
