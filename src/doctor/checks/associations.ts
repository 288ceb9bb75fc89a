// Whether this host and each peer reached by IPsec have agreed on keys: without that the policies let nothing through.
import type { Policy } from '../../kernel/state.ts'
import { type Check, type Fault, firstOf, outcomeOf } from '../finding.ts'
import { isAbout } from '../target.ts'

export const associationsCheck: Check = {
  name: 'associations',
  about: 'every peer reached by IPsec has agreed on keys with this host',
  ofPeer: true,
  settles: true,
  run({ plan, host, target }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    if (plan.value.own === undefined) return { unchecked: 'this host has no lease' }
    const tunnels = plan.value.wanted.flatMap(({ object, peer }) =>
      object.kind === 'policy' && object.direction === 'out' && peer !== undefined && isAbout(target, peer)
        ? [{ policy: object, peer }]
        : [],
    )
    if (tunnels.length === 0) return { seen: 'none is needed' }
    if ('unknown' in host.associations) return { unchecked: host.associations.unknown }
    const there = new Set(host.associations.value.map(({ from, to }) => `${from} to ${to}`))
    const faults = tunnels.flatMap(({ policy, peer }) => missing(policy, peer, there))
    return outcomeOf(firstOf(faults), `${tunnels.length} of ${tunnels.length} peers`)
  },
}

function missing({ from, to }: Policy, peer: string, there: ReadonlySet<string>): readonly Fault[] {
  const lacks = [`${from} to ${to}`, `${to} to ${from}`].filter((way) => !there.has(way))
  if (lacks.length === 0) return []
  return [
    {
      level: 'fault',
      stops: true,
      cause: `this host and ${to} have not agreed on IPsec keys: no packet gets to ${peer} or from there`,
      fix: `let UDP 500, UDP 4500 and IP protocol 50 through between ${from} and ${to}, and see that flanneld and charon run there (flanneld doctor there); with -v=1 flanneld logs what charon says`,
      proof: `no security association ${lacks.join(', and none ')} (ip xfrm state)`,
    },
  ]
}
