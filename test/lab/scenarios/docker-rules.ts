// What Docker's engines write into iptables, for the tests that need its rules and not Docker: 20.10's as the engine left
// them, 28.5's written after moby's bridge driver. One container with a published port on docker0, 10.2.21.2. In ip6tables
// engines since 27 write the same, earlier ones with --experimental --ip6tables.
import { NUMBERINGS, type Numbering } from './numbering.ts'

const NAT = `*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.2.21.0/24 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.2.21.2:80
COMMIT
`
/** By engine, as text for `iptables-restore --noflush`. */
const ENGINE_RULES = {
  '20.10': `${NAT}*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 10.2.21.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`,
  '28.5': `${NAT}*raw
-A PREROUTING -d 10.2.21.2/32 ! -i docker0 -j DROP
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 10.2.21.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
`,
}

/** What a further bridge adds: \`br-other\`, an ordinary network, and \`br-inside\`, an --internal one. */
const OTHER_NETWORKS = {
  '20.10': `*nat
-A POSTROUTING -s 172.18.0.0/16 ! -o br-other -j MASQUERADE
COMMIT
*filter
-A FORWARD -o br-other -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o br-other -j DOCKER
-A FORWARD -i br-other ! -o br-other -j ACCEPT
-A FORWARD -i br-other -o br-other -j ACCEPT
-A FORWARD -i br-inside -o br-inside -j ACCEPT
-I DOCKER-ISOLATION-STAGE-1 -i br-other ! -o br-other -j DOCKER-ISOLATION-STAGE-2
-I DOCKER-ISOLATION-STAGE-1 ! -s 172.19.0.0/16 -o br-inside -j DROP
-I DOCKER-ISOLATION-STAGE-1 ! -d 172.19.0.0/16 -i br-inside -j DROP
-I DOCKER-ISOLATION-STAGE-2 -o br-other -j DROP
COMMIT
`,
  '28.5': `*nat
-A POSTROUTING -s 172.18.0.0/16 ! -o br-other -j MASQUERADE
COMMIT
*raw
-A PREROUTING -d 172.18.0.2/32 ! -i br-other -j DROP
-A PREROUTING -d 172.19.0.2/32 ! -i br-inside -j DROP
COMMIT
*filter
:DOCKER-INTERNAL - [0:0]
-A DOCKER ! -i br-other -o br-other -j DROP
-A DOCKER-BRIDGE -o br-other -j DOCKER
-A DOCKER-CT -o br-other -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-I DOCKER-FORWARD 2 -j DOCKER-INTERNAL
-A DOCKER-INTERNAL ! -s 172.19.0.0/16 -o br-inside -j DROP
-A DOCKER-INTERNAL ! -d 172.19.0.0/16 -i br-inside -j DROP
-A DOCKER-FORWARD -i br-other -j ACCEPT
-A DOCKER-FORWARD -i br-inside -o br-inside -j ACCEPT
COMMIT
`,
}

export type RulesOf = keyof typeof ENGINE_RULES
export const RULES_OF = Object.keys(ENGINE_RULES) as RulesOf[]

/** An engine's rules, for iptables-restore or ip6tables-restore, whichever is that of the family. */
export function engineRules(engine: RulesOf, numbering = NUMBERINGS[4]): string {
  return numbered(ENGINE_RULES[engine], numbering)
}

/** What its networks `br-other` and `br-inside` add. */
export function otherNetworks(engine: RulesOf, numbering = NUMBERINGS[4]): string {
  return numbered(OTHER_NETWORKS[engine], numbering)
}

/** The same rules with the addresses of another numbering. */
function numbered(rules: string, { bits, subnet, within, endpoint, docker }: Numbering): string {
  const [other, inside] = [docker(18), docker(19)]
  return rules
    .replaceAll('10.2.21.0/24', subnet(21))
    .replaceAll('10.2.21.2/32', `${within(21, 2)}/${bits}`)
    .replaceAll('10.2.21.2:80', endpoint(within(21, 2), 80))
    .replaceAll('172.18.0.0/16', other.network)
    .replaceAll('172.18.0.2/32', `${other.container}/${bits}`)
    .replaceAll('172.19.0.0/16', inside.network)
    .replaceAll('172.19.0.2/32', `${inside.container}/${bits}`)
}
