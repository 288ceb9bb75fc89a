// From saved rules to the text for iptables-restore.
import test from 'ava'
import fc from 'fast-check'
import { isAnothers, parseSaved, sameRule, words } from '../../src/firewall/iptables/ruleset.ts'
import { A, ACCEPTS, AHEAD, B, DOCKER, FWD, OVERLAY, RIGHT, asB, diff, inputFor, restore } from '../fake/saved-rules.ts'

test('what is right is not written', (t) => {
  t.is(diff(RIGHT, A), undefined)
})

test('an empty host gets chain and jump in one transaction', (t) => {
  t.is(
    diff('', A),
    `*filter\n-N FLANNEL-OVERLAY\n${AHEAD}\n-N FLANNEL-FWD\n${ACCEPTS}\n-I FORWARD 1 ${OVERLAY}\n-I FORWARD 2 ${FWD}\nCOMMIT\n`,
  )
})

test('a chain with a rule too many, too few or in another order is refilled; its jump stays', (t) => {
  const refill = `*filter\n:FLANNEL-FWD - [0:0]\n${ACCEPTS}\nCOMMIT\n`
  const [first = '', second = ''] = ACCEPTS.split('\n')
  for (const wrong of ['', first, `${second}\n${first}`, `-A FLANNEL-FWD -j DROP\n${ACCEPTS}`])
    t.is(diff(RIGHT.replace(ACCEPTS, wrong), A), refill, wrong)
})

test('a changed network drops the rules of the one before', (t) => {
  const text = diff(RIGHT, B, [B.network, B.subnet, A.network])
  t.is(text, `*filter\n:FLANNEL-OVERLAY - [0:0]\n${asB(AHEAD)}\n:FLANNEL-FWD - [0:0]\n${asB(ACCEPTS)}\nCOMMIT\n`)
})

test('two daemons for two networks share the chains, and neither rewrites the other', (t) => {
  const both = RIGHT.replace(ACCEPTS, `${asB(ACCEPTS)}\n${ACCEPTS}`).replace(AHEAD, `${asB(AHEAD)}\n${AHEAD}`)
  const inserted = [AHEAD, ACCEPTS].flatMap((rules) =>
    asB(rules)
      .split('\n')
      .map((rule, i) => rule.replace(/^-A (\S+)/, `-I $1 ${i + 1}`)),
  )
  t.is(diff(RIGHT, B), `*filter\n${inserted.join('\n')}\nCOMMIT\n`, 'what the other has is in no line')
  t.is(diff(both, A), undefined)
  t.is(diff(both, B), undefined)
  // One of them cleans up: the other's rules and the jump to them stay.
  const deleted = asB(`${AHEAD}\n${ACCEPTS}`).replaceAll('-A ', '-D ')
  t.is(diff(both, undefined, [B.network]), `*filter\n${deleted}\nCOMMIT\n`)
})

test('of two that masquerade one cleans up: the rule that names no network stays for the other', (t) => {
  const [a, b] = [inputFor('10.2.0.0/16', '10.2.21.0/24', true), inputFor('10.3.0.0/16', '10.3.1.0/24', true)]
  const alone = restore('', diff('', a) ?? '')
  const both = restore(alone, diff(alone, b) ?? '')
  t.is(both.match(/0x4000/g)?.length, 2, 'mark and mask, once')
  t.deepEqual([diff(both, a), diff(both, b)], [undefined, undefined])
  t.is(restore(both, diff(both, undefined, [b.network, b.subnet]) ?? ''), alone)
})

test('in DOCKER-USER ours comes after the operator’s rules and ahead of the closing RETURN', (t) => {
  const text = diff(DOCKER, A) ?? ''
  const user = OVERLAY.replace('OVERLAY', 'USER')
  t.true(text.includes(`\n-I DOCKER-USER 2 ${OVERLAY}\n`), text)
  t.true(text.includes(`\n-I PREROUTING 1 ${OVERLAY}\n`))
  t.true(text.includes(`\n-I FORWARD 1 ${user}\n-I FORWARD 2 ${OVERLAY}\n-I FORWARD 5 ${FWD}\n`), text)
  const appended = DOCKER.replace('-A DOCKER-USER -j RETURN\n', '')
  t.true((diff(appended, A) ?? '').includes(`\n-I DOCKER-USER 2 ${OVERLAY}\n`))
})

test('without Docker’s chains nothing refers to them', (t) => {
  t.false((diff('', A) ?? '').includes('DOCKER'))
  // The engine’s chains went, ours stayed behind: removed.
  const text = diff('*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-USER - [0:0]\nCOMMIT\n', A) ?? ''
  t.true(text.includes('-F FLANNEL-USER\n-X FLANNEL-USER\n'))
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

test('whatever state the tables are in, one transaction makes them right, and removal leaves all else as it was', (t) => {
  const foreign = fc.constantFrom(
    '-j LOG',
    '-s 10.2.0.0/16 -j DROP',
    '-j RETURN',
    '-p tcp -j ACCEPT',
    '-i eth0 -j DROP',
  )
  const ours = fc.constantFrom(
    FWD,
    OVERLAY,
    '-j FLANNEL-FWD',
    '-m comment --comment "flanneld forward" -j FLANNEL-USER',
  )
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
