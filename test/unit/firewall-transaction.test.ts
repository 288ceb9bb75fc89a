// From saved rules to the text for iptables-restore.
import test from 'ava'
import fc from 'fast-check'
import { parsePrefix, type Prefix } from '../../src/ip/prefix.ts'
import { type FirewallInput, desiredChains } from '../../src/firewall/rules.ts'
import { isAnothers, parseSaved, sameRule, words } from '../../src/firewall/ruleset.ts'
import { dockerChains, transaction } from '../../src/firewall/transaction.ts'

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

function inputFor(network: string, subnet: string, masquerade = false): FirewallInput {
  const overlay = [{ name: 'flannel.1', shared: false }]
  const rest = { masquerade, randomFully: true, forward: true, overlay }
  return { family: 4, network: prefix(network), subnet: prefix(subnet), ...rest }
}

/** The transaction for a saved text; `input` undefined removes everything of ours. */
function diff(saved: string, input: FirewallInput | undefined, mine = input ? [input.network, input.subnet] : []) {
  const ruleset = parseSaved(saved)
  return transaction(ruleset, input ? desiredChains(input, dockerChains(ruleset)) : new Map(), mine)
}

const A = inputFor('10.2.0.0/16', '10.2.21.0/24')
const B = inputFor('10.3.0.0/16', '10.3.1.0/24')
const FWD = '-m comment --comment "flanneld forward" -j FLANNEL-FWD'
const ACCEPTS = `-A FLANNEL-FWD -s 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.2.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`
const RIGHT = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [7:420]
:FLANNEL-FWD - [0:0]
-A FORWARD ${FWD}
-A FORWARD -j REJECT --reject-with icmp-port-unreachable
${ACCEPTS}
COMMIT
`

test('F3: what is right is not written', (t) => {
  t.is(diff(RIGHT, A), undefined)
})

test('an empty host gets chain and jump in one transaction', (t) => {
  t.is(diff('', A), `*filter\n-N FLANNEL-FWD\n${ACCEPTS}\n-I FORWARD 1 ${FWD}\nCOMMIT\n`)
})

test('F2: a rule ahead of ours, and a second jump, are put right without touching what is not ours', (t) => {
  const saved = RIGHT.replace(`-A FORWARD ${FWD}`, `-A FORWARD -j X\n-A FORWARD ${FWD}\n-A FORWARD ${FWD}`)
  t.is(diff(saved, A), `*filter\n-D FORWARD ${FWD}\n-D FORWARD ${FWD}\n-I FORWARD 1 ${FWD}\nCOMMIT\n`)
})

test('F2: a chain with a rule too many, too few or in another order is refilled; its jump stays', (t) => {
  const refill = `*filter\n:FLANNEL-FWD - [0:0]\n${ACCEPTS}\nCOMMIT\n`
  const [first = '', second = ''] = ACCEPTS.split('\n')
  for (const wrong of ['', first, `${second}\n${first}`, `-A FLANNEL-FWD -j DROP\n${ACCEPTS}`])
    t.is(diff(RIGHT.replace(ACCEPTS, wrong), A), refill, wrong)
})

test('a changed network drops the rules of the one before', (t) => {
  const text = diff(RIGHT, B, [B.network, B.subnet, A.network])
  t.is(text, `*filter\n:FLANNEL-FWD - [0:0]\n${ACCEPTS.replaceAll('10.2.', '10.3.')}\nCOMMIT\n`)
})

test('P4: two daemons for two networks share the chains, and both are content', (t) => {
  const both = RIGHT.replace(ACCEPTS, `${ACCEPTS.replaceAll('10.2.', '10.3.')}\n${ACCEPTS}`)
  const inserted = ACCEPTS.replaceAll('10.2.', '10.3.').split('\n').map((rule, i) => rule.replace('-A FLANNEL-FWD', `-I FLANNEL-FWD ${i + 1}`)) // prettier-ignore
  t.is(diff(RIGHT, B), `*filter\n${inserted.join('\n')}\nCOMMIT\n`, 'what the other has is in no line')
  t.is(diff(both, A), undefined)
  t.is(diff(both, B), undefined)
  // One of them cleans up: the other's rules and the jump to them stay.
  const deleted = ACCEPTS.replaceAll('10.2.', '10.3.').replaceAll('-A ', '-D ')
  t.is(diff(both, undefined, [B.network]), `*filter\n${deleted}\nCOMMIT\n`)
})

test('P4: of two that masquerade one cleans up: the rule that names no network stays for the other', (t) => {
  const [a, b] = [inputFor('10.2.0.0/16', '10.2.21.0/24', true), inputFor('10.3.0.0/16', '10.3.1.0/24', true)]
  const alone = restore('', diff('', a) ?? '')
  const both = restore(alone, diff(alone, b) ?? '')
  t.is(both.match(/0x4000/g)?.length, 2, 'mark and mask, once')
  t.deepEqual([diff(both, a), diff(both, b)], [undefined, undefined])
  t.is(restore(both, diff(both, undefined, [b.network, b.subnet]) ?? ''), alone)
})

const DOCKER = `*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -s 203.0.113.0/24 -j DROP
-A DOCKER-USER -j RETURN
COMMIT
`

test('F1: in DOCKER-USER ours comes after the operator’s rules and ahead of the closing RETURN', (t) => {
  const text = diff(DOCKER, A) ?? ''
  const overlay = '-m comment --comment "flanneld forward" -j FLANNEL-OVERLAY'
  t.true(text.includes(`\n-I DOCKER-USER 2 ${overlay}\n`), text)
  t.true(text.includes(`\n-I PREROUTING 1 ${overlay}\n`))
  t.true(text.includes(`\n-I FORWARD 1 -m comment --comment "flanneld forward" -j FLANNEL-USER\n-I FORWARD 2 ${FWD}\n`))
  const appended = DOCKER.replace('-A DOCKER-USER -j RETURN\n', '')
  t.true((diff(appended, A) ?? '').includes(`\n-I DOCKER-USER 2 ${overlay}\n`))
})

test('without Docker’s chains nothing refers to them', (t) => {
  t.false((diff('', A) ?? '').includes('DOCKER'))
  // The engine’s chains went, ours stayed behind: removed.
  const text = diff('*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-OVERLAY - [0:0]\nCOMMIT\n', A) ?? ''
  t.true(text.includes('-F FLANNEL-OVERLAY\n-X FLANNEL-OVERLAY\n'))
  t.false(text.includes('DOCKER-USER'))
})

test('-ip-masq turned off: the chain and its jump go', (t) => {
  const masq = '-m comment --comment "flanneld masq" -j FLANNEL-POSTRTG'
  const mark = '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN'
  const saved = `${RIGHT}*nat\n:POSTROUTING ACCEPT [0:0]\n:FLANNEL-POSTRTG - [0:0]\n-A POSTROUTING ${masq}\n${mark}\nCOMMIT\n`
  t.is(diff(saved, A), `*nat\n-D POSTROUTING ${masq}\n-F FLANNEL-POSTRTG\n-X FLANNEL-POSTRTG\nCOMMIT\n`)
})

test('words: quotes and escapes are undone, so that two spellings of a rule are one', (t) => {
  t.deepEqual(words('-m comment --comment "a \\"b\\" c" -j X'), ['-m', 'comment', '--comment', 'a "b" c', '-j', 'X'])
  t.true(sameRule('-m comment --comment "x"  -j Y', '-m comment --comment x -j Y'))
  t.false(sameRule('-j "A B"', '-j A B'))
})

test('a rule is another’s only with flanneld’s comment and a network that is not ours', (t) => {
  const comment = '-m comment --comment "flanneld forward"'
  t.true(isAnothers(`-s 10.3.0.0/16 ${comment} -j ACCEPT`, [A.network]))
  t.false(isAnothers(`-s 10.2.0.0/17 ${comment} -j ACCEPT`, [A.network]))
  t.false(isAnothers('-s 10.3.0.0/16 -j ACCEPT', [A.network]))
  t.false(isAnothers(`${comment} -j ACCEPT`, [A.network]))
})

/** What iptables-restore --noflush does to a saved text, for the lines we write. */
function restore(saved: string, text: string): string {
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

test('whatever state the tables are in, one transaction makes them right, and removal leaves all else as it was', (t) => {
  const foreign = fc.constantFrom(
    '-j LOG',
    '-s 10.2.0.0/16 -j DROP',
    '-j RETURN',
    '-p tcp -j ACCEPT',
    '-i eth0 -j DROP',
  )
  const ours = fc.constantFrom(FWD, '-j FLANNEL-FWD', '-m comment --comment "flanneld forward" -j FLANNEL-USER')
  const chain = fc.array(fc.oneof(foreign, ours), { maxLength: 6 })
  const host = fc.record({ forward: chain, user: fc.option(fc.array(foreign, { maxLength: 4 })), fill: chain })
  fc.assert(
    fc.property(host, fc.boolean(), ({ forward, user, fill }, masquerade) => {
      const chains = ['FORWARD ACCEPT', 'FLANNEL-FWD -', 'FLANNEL-USER -', ...(user ? ['DOCKER-USER -'] : [])]
      const saved = ['*filter', ...chains.map((name) => `:${name} [0:0]`)]
        .concat(forward.map((rule) => `-A FORWARD ${rule}`))
        .concat((user ?? []).map((rule) => `-A DOCKER-USER ${rule}`))
        .concat(
          fill.map((rule) => `-A FLANNEL-FWD ${rule}`),
          'COMMIT\n',
        )
        .join('\n')
      const wanted = inputFor('10.2.0.0/16', '10.2.21.0/24', masquerade)
      const right = restore(saved, diff(saved, wanted) ?? '')
      t.is(diff(right, wanted), undefined)
      const gone = parseSaved(restore(right, diff(right, undefined, [wanted.network]) ?? ''))
      t.false([...gone.values()].some((table) => [...table.chains.keys()].some((name) => name.startsWith('FLANNEL'))))
      const notOurs = (rules: readonly string[]) => rules.filter((rule) => !rule.includes('FLANNEL'))
      t.deepEqual(gone.get('filter')?.chains.get('FORWARD'), notOurs(forward))
      t.deepEqual(gone.get('filter')?.chains.get('DOCKER-USER'), user ?? undefined)
    }),
  )
})
