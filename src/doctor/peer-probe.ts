// Probes peers once, where no daemon has: as `flanneld ping` does, a few peers side by side.
// Invariant: only peers whose entries in the kernel are complete: packets lost on this host say nothing about the path.
import { newStop } from '../process/stop.ts'
import { messageOf } from '../errors.ts'
import { carrierOf, selfFor } from '../reconcile/intent.ts'
import { type Prefix, addressOf } from '../ip/prefix.ts'
import { sameObject, keyOf } from '../kernel/state.ts'
import { EvidenceBook } from '../probe/evidence.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import { UNTRIED, judgeTurn } from '../probe/judge.ts'
import { type PeerPath, familiesOn, pathTo } from '../probe/path.ts'
import { Pinger } from '../probe/pinger.ts'
import { takeTurn } from '../probe/turn.ts'
import type { Facts, HostFacts } from './facts.ts'
import type { ExpectedPlan } from './expected-state.ts'

/** The most that are probed; another one is probed when it is named. */
const PEERS = 8

/** Probes `subnets`, up to the limit. Never rejects. */
export async function probePeers(
  plan: ExpectedPlan,
  host: HostFacts,
  subnets: Iterable<Prefix>,
): Promise<Facts['probes']['peers']> {
  if (plan.inputs === undefined) return { unknown: 'this host has no lease' }
  const paths = [...subnets].flatMap((subnet) => pathIn(plan, host, subnet) ?? [])
  if (paths.length === 0) return { unknown: 'no peer has complete entries in the kernel' }
  const evidence = new EvidenceBook()
  const stop = newStop()
  const pinger = new Pinger({
    heard({ source, mark }) {
      const { subnet } = mark
      if (subnet === undefined) return
      evidence.came(subnet, source === subnet ? 'tunnel' : 'underlay', mark.heard, performance.now())
    },
    broken: () => {
      stop.abort()
    },
  })
  try {
    for (const family of new Set(paths.flatMap(([, path]) => [...familiesOn(path)]))) await pinger.open(family)
    const found = new Map<Prefix, PeerHealth>()
    const turn = async ([subnet, path]: readonly [Prefix, PeerPath]): Promise<void> => {
      const from = performance.now()
      const mark = { subnet: path.tunnel?.source, silent: false, trial: false, heard: undefined }
      const tallies = await takeTurn({
        path,
        hint: 0,
        expected: 'answers',
        pinger,
        mark: () => mark,
        signal: stop.signal,
      })
      if (tallies === undefined) return
      const seen = { evidence: evidence.of(addressOf(subnet)), from, to: performance.now(), at: Date.now() }
      found.set(subnet, judgeTurn(UNTRIED, { path, tallies, ...seen }))
    }
    await Promise.all(paths.slice(0, PEERS).map(turn))
    return { value: found }
  } catch (error) {
    return { unknown: `no probe can be sent: ${messageOf(error)}` }
  } finally {
    pinger.close()
  }
}

/** The path to a peer, if its entries in the kernel are complete. */
function pathIn(
  { intent, peers, wanted }: ExpectedPlan,
  host: HostFacts,
  subnet: Prefix,
): (readonly [Prefix, PeerPath])[] | undefined {
  const peer = peers.get(subnet)
  const route = intent && peer && carrierOf(intent, peer.type)
  if (intent === undefined || peer === undefined || route === undefined) return undefined
  const self = selfFor(intent, peer)
  const path = self && pathTo(peer, self, route)
  const complete = wanted
    .filter((one) => one.peer === undefined || one.peer === subnet)
    .every(({ object }) => {
      const there = host.kernel.get(object.kind)?.get(keyOf(object))
      return there !== undefined && sameObject(object, there)
    })
  return path !== undefined && complete ? [[subnet, path]] : undefined
}
