// The path to peers: which peers answer, whether the port is free and open, how large packets may be, and whose checksums
// are wrong on arrival.
import { byFamily, some } from '../../ip/by-family.ts'
import { valueIn } from '../known.ts'
import { type Prefix, prefixFamily } from '../../ip/prefix.ts'
import type { PeerHealth } from '../../probe/peer-health.ts'
import { linksOf } from '../../obstacles/obstacles.ts'
import { type VxlanLink, isVxlan } from '../../kernel/state.ts'
import type { Facts } from '../facts.ts'
import { counted } from '../../text/counted.ts'
import { type Check, type Fault, type CheckOutcome, firstOf, outcomeOf, type OwnCheck } from '../finding.ts'
import { outerOf, wrappingFor } from '../outer.ts'
import { handshakeNote } from '../handshakes.ts'
import { closedFaults } from './closed-port.ts'
import { isAbout } from '../target.ts'
import type { ExpectedPlan } from '../expected-state.ts'
import { blocked, strangerAt } from './blocked.ts'
import { familyOf } from '../../ip/address.ts'

export const peersCheck: Check = {
  name: 'peers',
  about: 'every peer answers',
  ofPeer: true,
  run: (facts) =>
    probed(facts, 'all answer', (health, subnet, address) => {
      if (health.cause !== 'host-down' && health.cause !== 'loss') return undefined
      const down = health.cause === 'host-down'
      return {
        level: 'fault',
        ...(down ? { stops: true } : {}),
        cause: down ? `peer ${subnet}: neither its tunnel nor its host answers` : `packets to peer ${subnet} are lost`,
        fix: down
          ? `check that ${address} is up and reachable: ping ${address}; ip route get ${address}`
          : `look for errors on the path: ip -s link, here, on ${address}, and on the switches in between`,
        proof: health.note,
      }
    }),
}

/** What the probes say, peer by peer. */
function probed(
  facts: Facts,
  seen: string,
  judge: (health: PeerHealth, subnet: Prefix, address: string) => Fault | undefined,
): CheckOutcome {
  const { probes, plan, target } = facts
  if ('unknown' in probes.peers) return { unchecked: probes.peers.unknown }
  if ('unknown' in plan) return { unchecked: plan.unknown }
  const faults: Fault[] = []
  let known = 0
  for (const [subnet, health] of probes.peers.value) {
    if (!isAbout(target, subnet)) continue
    if (health.state !== 'unknown') known++
    const fault = judge(health, subnet, plan.value.peers.get(subnet)?.publicAddress ?? '')
    if (fault !== undefined) faults.push(fault)
  }
  if (faults.length === 0 && known === 0 && plan.value.peers.size > 0)
    return { unchecked: 'no peer has been probed yet' }
  return outcomeOf(firstOf(faults), `${seen} (${counted(known, 'peer')} probed)`)
}

export const portCheck: Check = {
  name: 'udp-port',
  about: 'the port of the tunnel is ours, open here, and not blocked on the path',
  ofPeer: true,
  run(facts) {
    if ('unknown' in facts.plan) return { unchecked: facts.plan.unknown }
    const plan = facts.plan.value
    if (plan.own === undefined) return beforeLease(facts, plan)
    const links = tunnelsOf(plan)
    const wrapped = [...plan.peers.keys()].some((subnet) => outerOf(plan, subnet) !== undefined)
    if (links.length === 0 && !wrapped) return { seen: 'no tunnel' }
    const local = links.flatMap((link) => [...takenFaults(facts, link), ...closedFaults(facts, link)])
    const outcome = probed(facts, 'open here; all answer', (health, subnet, address) => {
      const [link, carrier] = [tunnelFor(links, subnet), outerOf(plan, subnet)]
      if (carrier === undefined) return undefined
      const fault = blocked(health, subnet, address, carrier, link && strangerAt(facts, link))
      const handshake = handshakeNote(facts, plan, subnet)
      return fault && handshake !== undefined ? { ...fault, proof: `${fault.proof}; ${handshake}` } : fault
    })
    if (local.length === 0) return outcome
    return outcomeOf(firstOf([...local, ...('faults' in outcome ? outcome.faults : [])]), '')
  },
}

/** A daemon that finds the port taken leases nothing. */
function beforeLease(facts: Facts, { configuration }: ExpectedPlan): CheckOutcome {
  const externals = some(byFamily((family) => valueIn(facts.host.externals[family])))
  const links = externals === undefined ? [] : linksOf(configuration, externals, '')
  const [fault, ...others] = links.flatMap((link) => takenFaults(facts, link))
  return fault === undefined ? { unchecked: 'this host has no lease' } : { faults: [fault, ...others] }
}

/** The VXLAN devices of all families. */
function tunnelsOf({ wanted }: ExpectedPlan): readonly VxlanLink[] {
  return wanted.flatMap(({ object }) => (isVxlan(object) ? [object] : []))
}

/** The one that carries packets to a peer. */
function tunnelFor(links: readonly VxlanLink[], peer: Prefix): VxlanLink | undefined {
  return links.find(({ local }) => familyOf(local) === prefixFamily(peer))
}

/** Another program has the port: the device cannot be set up. */
function takenFaults({ host }: Facts, { port, name }: VxlanLink): readonly Fault[] {
  const taken = host.udpSockets.find((socket) => socket.port === port && socket.owner !== undefined)
  const link = host.network.links.find((one) => one.name === name)
  if (taken?.owner === undefined || link?.up === true) return []
  const who = taken.owner
  return [
    {
      level: 'fault',
      stops: true,
      cause: `UDP ${port} is taken by ${who}: ${name} cannot be set up`,
      fix: `stop ${who}, or give the network another port (Backend.Port, for all hosts)`,
      proof: `a socket on port ${port}, inode ${taken.inode}; the same by: ss -ulnp sport = :${port}`,
    },
  ]
}

export const pathMtuCheck: Check = {
  name: 'path-mtu',
  about: 'the largest packets of containers reach every peer',
  ofPeer: true,
  run: (facts) =>
    probed(facts, 'the largest packets pass', (health, subnet, address) => {
      if (health.cause !== 'path-mtu') return undefined
      const fits = health.pathMtu === undefined ? '' : `, ${health.pathMtu} bytes pass`
      const advice = health.pathMtu === undefined ? '' : smaller(facts.plan, subnet, health.pathMtu)
      return {
        level: 'fault',
        stops: true,
        cause: `large packets to peer ${subnet} are lost, small ones pass: the path to ${address} carries less than we send${fits}`,
        fix: `raise the MTU on the path, let ICMP "fragmentation needed" pass, or send smaller packets${advice}, then restart dockerd`,
        proof: health.note,
      }
    }),
}

/** The setting that makes packets of containers fit; Backend.MTU is that of the packets around them. */
function smaller(plan: Facts['plan'], peer: Prefix, fits: number): string {
  const wrapping = 'value' in plan ? wrappingFor(plan.value, peer) : undefined
  return wrapping === undefined ? '' : ` (Backend.MTU ${fits + wrapping.overhead} in the network config)`
}

export const checksumCheck: OwnCheck = {
  name: 'checksum',
  about: 'checksums of packets in the tunnel are correct on arrival',
  ofPeer: true,
  run({ plan, probes, host }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const links = tunnelsOf(plan.value)
    if (links.length === 0) return { unchecked: 'there is no tunnel' }
    if ('unknown' in probes.checksums) return { unchecked: probes.checksums.unknown }
    const faults: Fault[] = []
    let good = 0
    const features = [...host.checksumOffload].map(([name, on]) => `${name} ${on ? 'on' : 'off'}`).join(', ')
    for (const [subnet, { offloaded, ready }] of probes.checksums.value) {
      if (offloaded) good++
      if (offloaded || !ready) continue
      faults.push({
        level: 'fault',
        stops: true,
        cause: `packets to peer ${subnet} arrive with wrong checksums: TCP and UDP fail, ping works. Checksum offload does not work with a NAT or a network card on the path`,
        fix: `ethtool -K ${tunnelFor(links, subnet)?.name ?? ''} tx-checksum-ip-generic off`,
        proof: `the peer answered a datagram with a complete checksum, but not one with an offloaded checksum (tx-checksum-ip-generic: ${features})`,
      })
    }
    if (faults.length === 0 && good === 0) return { unchecked: 'no peer answered a probe with either sum' }
    return outcomeOf(firstOf(faults), `right at ${counted(good, 'peer')}`)
  },
}
