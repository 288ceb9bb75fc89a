// A host's correct saved rules for a network, and what iptables-restore makes of them, for the tests of
// transactions.
import { type Prefix } from '../../src/ip/prefix.ts'
import { type FirewallInput, desiredChains } from '../../src/firewall/iptables/rules.ts'
import { parseSaved } from '../../src/firewall/iptables/ruleset.ts'
import { dockerChains, transaction } from '../../src/firewall/iptables/transaction.ts'
import { prefix } from './values.ts'

export function inputFor(network: string, subnet: string, masquerade = false): FirewallInput {
  const overlay = [{ name: 'flannel.1', shared: false, from: [prefix(network)] }]
  const rest = { masquerade, randomFully: true, forward: true, external: 'enp0s3', overlay }
  return { family: 4, network: prefix(network), subnet: prefix(subnet), ...rest }
}

/** The transaction for a saved text; `input` undefined removes everything of ours. */
export function diff(
  saved: string,
  input: FirewallInput | undefined,
  mine: readonly Prefix[] = input ? [input.network, input.subnet] : [],
): string | undefined {
  const ruleset = parseSaved(saved)
  return transaction(ruleset, input ? desiredChains([input], dockerChains(ruleset)) : new Map(), mine)
}

export const A = inputFor('10.2.0.0/16', '10.2.21.0/24')
export const B = inputFor('10.3.0.0/16', '10.3.1.0/24')
export const FWD = '-m comment --comment "flanneld forward" -j FLANNEL-FWD'
export const OVERLAY = '-m comment --comment "flanneld forward" -j FLANNEL-OVERLAY'
export const AHEAD = `-A FLANNEL-OVERLAY -s 10.2.0.0/16 -d 10.2.21.0/24 -i flannel.1 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-OVERLAY -s 10.2.21.0/24 -d 10.2.0.0/16 ! -i enp0s3 -o flannel.1 -m comment --comment "flanneld forward" -j ACCEPT`
export const ACCEPTS = `-A FLANNEL-FWD -s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`
export const RIGHT = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [7:420]
:FLANNEL-FWD - [0:0]
:FLANNEL-OVERLAY - [0:0]
-A FORWARD ${OVERLAY}
-A FORWARD -i tun0 -j ACCEPT
-A FORWARD ${FWD}
-A FORWARD -j REJECT --reject-with icmp-port-unreachable
${ACCEPTS}
${AHEAD}
COMMIT
`

/** Rules of A's as they are of B's. */
export const asB = (rules: string): string => rules.replaceAll('10.2.21.', '10.3.1.').replaceAll('10.2.', '10.3.')

export const DOCKER = `*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -s 203.0.113.0/24 -j DROP
-A DOCKER-USER -j RETURN
COMMIT
`

/** What iptables-restore --noflush does to a saved text, for the lines we write. */
export function restore(saved: string, text: string): string {
  const tables = new Map([...parseSaved(saved)].map(([name, table]) => [name, new Map(table.chains)]))
  let chains = new Map<string, readonly string[]>()
  for (const line of text.trim().split('\n')) {
    const [verb = '', chain = '', ...rest] = line.split(' ')
    const rules = chains.get(chain) ?? []
    if (line.startsWith('*')) tables.set(line.slice(1), (chains = new Map(tables.get(line.slice(1)))))
    else if (line.startsWith(':')) chains.set(verb.slice(1), [])
    else if (verb === '-A') chains.set(chain, [...rules, rest.join(' ')])
    else if (verb === '-D') chains.set(chain, rules.toSpliced(rules.indexOf(rest.join(' ')), 1))
    else if (verb === '-I') chains.set(chain, rules.toSpliced(Number(rest[0]) - 1, 0, rest.slice(1).join(' ')))
    else if (verb === '-F' || verb === '-N') chains.set(chain, [])
    else if (verb === '-X') chains.delete(chain)
  }
  return [...tables]
    .map(([name, all]) =>
      [`*${name}`, ...[...all.keys()].map((chain) => `:${chain} ${/^[A-Z]+$/.test(chain) ? 'ACCEPT' : '-'} [0:0]`)]
        .concat(
          [...all].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
          'COMMIT\n',
        )
        .join('\n'),
    )
    .join('')
}
