// What a running host does when its interface, its address or its routes change.
import test from 'ava'
import { OperatorError } from '../../src/errors.ts'
import type { HostNetwork, Place } from '../../src/kernel/host-network.ts'
import type { InterfaceWish } from '../../src/host/interface-candidate.ts'
import { alternatives, chooseExternalInterface } from '../../src/host/external-interface.ts'
import { type Held, type KeepDecision, LEAVE_AFTER_MS, decideInterface } from '../../src/host/keep-interface.ts'
import { ip, route } from './external-interface-host.ts'
import { NOTHING, OTHER, OWN, VIRTUAL, hostWith } from './two-cards.ts'

/** Decides step by step, `seconds` after the start each; what was done, as "keep 192.168.19.121". */
function play(
  steps: readonly (readonly [seconds: number, host: HostNetwork])[],
  wish: Partial<InterfaceWish> = {},
  home?: Place,
): readonly string[] {
  const options = { ...NOTHING, ...wish }
  const external = chooseExternalInterface(steps[0]?.[1] ?? hostWith([]), options, 4)
  if (external instanceof OperatorError) throw external
  let held: Held = { external, home, goneSince: undefined }
  return steps.map(([seconds, host]) => {
    const { decision, held: next } = decideInterface(host, options, held, seconds * 1000)
    held = next
    return told(decision)
  })
}

function told(decision: KeepDecision): string {
  if (decision.type === 'wait') return `wait until ${decision.until / 1000} for ${decision.next.address}`
  if (decision.type === 'nothing-better') return decision.type
  return `${decision.type} ${decision.external.name} ${decision.external.address}`
}

test('a virtual IP changes nothing, wherever the kernel lists it, nor does its removal', (t) => {
  const same = 'keep enp0s3 192.168.19.121'
  t.deepEqual(
    play([
      [0, hostWith([OWN])],
      [1, hostWith([OWN, VIRTUAL])],
      [2, hostWith([VIRTUAL, OWN])],
      [3, hostWith([OWN])],
    ]),
    [same, same, same, same],
  )
})

test('a second default route changes nothing, however good its metric, nor the loss of the first', (t) => {
  const both = { ...hostWith([OWN, OTHER]), routes: [route('0.0.0.0/0', 3), route('0.0.0.0/0', 2, undefined, 100)] }
  const same = 'keep enp0s3 192.168.19.121'
  t.deepEqual(
    play([
      [0, hostWith([OWN, OTHER])],
      [1, both],
      [2, hostWith([OWN, OTHER], 3)],
    ]),
    [same, same, same],
  )
})

test('an address that is gone for a moment is waited for, however many others there are', (t) => {
  t.deepEqual(
    play([
      [0, hostWith([OWN, VIRTUAL])],
      [1, hostWith([VIRTUAL])],
      [4, hostWith([VIRTUAL])],
      [5.9, hostWith([VIRTUAL, OWN])],
      [7, hostWith([VIRTUAL])],
    ]),
    [
      'keep enp0s3 192.168.19.121',
      'wait until 6 for 192.168.19.200',
      'wait until 6 for 192.168.19.200',
      'keep enp0s3 192.168.19.121',
      'wait until 12 for 192.168.19.200',
    ],
  )
})

test('an address that stays away is replaced after the limit, and taken again at once when it returns', (t) => {
  const seconds = LEAVE_AFTER_MS / 1000
  t.deepEqual(
    play([
      [0, hostWith([OWN, OTHER])],
      [1, hostWith([OWN, OTHER], 3, [2])],
      [1 + seconds, hostWith([OWN, OTHER], 3, [2])],
      [60, hostWith([OWN, OTHER], 3)],
      [61, hostWith([OWN, OTHER], 3)],
    ]),
    [
      'keep enp0s3 192.168.19.121',
      `wait until ${1 + seconds} for 10.9.0.1`,
      'change enp0s8 10.9.0.1',
      'change enp0s3 192.168.19.121',
      'keep enp0s3 192.168.19.121',
    ],
  )
})

test('the first alternative is another address of the same interface, wherever the default route leads', (t) => {
  const gone = hostWith([VIRTUAL, OTHER], 3)
  const steps = play([
    [0, hostWith([OWN, VIRTUAL, OTHER])],
    [1, gone],
    [6, gone],
  ])
  t.is(steps.at(-1), 'change enp0s3 192.168.19.200')
})

test('without an alternative the address is kept, and the wait starts only when there is one', (t) => {
  t.deepEqual(
    play([
      [0, hostWith([OWN])],
      [1, hostWith([])],
      [50, hostWith([])],
      [51, hostWith([VIRTUAL])],
      [52, hostWith([VIRTUAL, OWN])],
    ]),
    [
      'keep enp0s3 192.168.19.121',
      'nothing-better',
      'nothing-better',
      'wait until 56 for 192.168.19.200',
      'keep enp0s3 192.168.19.121',
    ],
  )
})

test('an address that moves to a bridge over its card is followed at once', (t) => {
  t.deepEqual(
    play([
      [0, hostWith([OWN])],
      [1, hostWith([`${OWN}@4`, OTHER], 4)],
    ]),
    ['keep enp0s3 192.168.19.121', 'keep br-mgmt 192.168.19.121'],
  )
})

test('what the operator named wins: an address alone, and the first of several -iface as soon as it is there', (t) => {
  const iface = [OTHER, 'enp0s3']
  t.deepEqual(
    play(
      [
        [0, hostWith([OWN])],
        [1, hostWith([OWN, OTHER])],
        [2, hostWith([OWN])],
        [7, hostWith([OWN])],
      ],
      { iface },
    ),
    [
      'keep enp0s3 192.168.19.121',
      'change enp0s8 10.9.0.1',
      'wait until 7 for 192.168.19.121',
      'change enp0s3 192.168.19.121',
    ],
  )
  t.deepEqual(
    play(
      [
        [0, hostWith([OWN, OTHER])],
        [1, hostWith([OTHER], 3)],
      ],
      { iface: [OWN] },
    )[1],
    'nothing-better',
  )
})

test('at a start the former address comes first, as far as the operator leaves a choice', (t) => {
  const host = {
    ...hostWith([VIRTUAL, OWN, OTHER], 3),
    asked: new Map([[ip('8.8.8.8'), { index: 3, source: ip(OTHER) }]]),
  }
  const at = (wish: Partial<InterfaceWish>, own = OWN): string | undefined => {
    const place = { name: 'enp0s3', address: ip(own), used: false }
    const chosen = chooseExternalInterface(host, { ...NOTHING, ...wish }, 4, [place])
    return chosen instanceof OperatorError ? undefined : chosen.address
  }
  t.is(at({}), OWN)
  t.is(at({ iface: ['enp0s3'] }), OWN)
  t.is(at({ ifaceRegex: ['^192'] }), OWN)
  t.is(at({ iface: ['enp0s8'] }), OTHER)
  t.is(at({ iface: [VIRTUAL] }), VIRTUAL)
  t.is(at({ publicIp: ip(VIRTUAL) }), VIRTUAL)
  t.is(at({ ifaceCanReach: ip('8.8.8.8') }), OTHER)
  t.is(at({}, '172.16.0.9'), OTHER, 'no longer on this host')
  const found = alternatives(host, NOTHING, 4).map((one): string => one.address)
  t.deepEqual(found.toSorted(), [OTHER, OWN, VIRTUAL])
})
