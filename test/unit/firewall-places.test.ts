// Where the jumps to our chains stand among the rules of others.
import test from 'ava'
import { parseSaved } from '../../src/firewall/iptables/ruleset.ts'
import { A, DOCKER, FWD, OVERLAY, RIGHT, diff, restore } from '../fake/saved-rules.ts'

/** The jumps of RIGHT put in their places again. */
const AGAIN = `-D FORWARD ${OVERLAY}\n-D FORWARD ${FWD}\n-I FORWARD 1 ${OVERLAY}\n`

test('a rule ahead of ours, and a second jump, are repaired, and foreign rules are left alone', (t) => {
  const first = RIGHT.replace(`-A FORWARD ${OVERLAY}`, `-A FORWARD -j X\n-A FORWARD ${OVERLAY}`)
  t.is(diff(first, A), `*filter\n${AGAIN}-I FORWARD 4 ${FWD}\nCOMMIT\n`)
  const second = RIGHT.replace(`-A FORWARD ${FWD}`, `-A FORWARD ${FWD}\n-A FORWARD ${FWD}`)
  const text = `${AGAIN.replace(`${FWD}\n`, `${FWD}\n-D FORWARD ${FWD}\n`)}-I FORWARD 3 ${FWD}`
  t.is(diff(second, A), `*filter\n${text}\nCOMMIT\n`)
})

test('the wide accepts come ahead of a rule that refuses all, and behind what else there was', (t) => {
  const jump = `-A FORWARD ${FWD}`
  const without = RIGHT.replace(`${jump}\n`, '')
  const refusing = [
    '-j REJECT --reject-with icmp-host-prohibited',
    '-j DROP',
    '-m comment --comment "the rest" -j DROP',
  ]
  for (const rule of refusing) {
    const saved = RIGHT.replace(/-A FORWARD -j REJECT .*/, `-A FORWARD ${rule}`)
    t.is(diff(saved, A), undefined, rule)
    const behind = saved.replace(`${jump}\n`, '').replace(`-A FORWARD ${rule}\n`, `-A FORWARD ${rule}\n${jump}\n`)
    t.is(diff(behind, A), `*filter\n${AGAIN}-I FORWARD 3 ${FWD}\nCOMMIT\n`, rule)
  }
  // A rule that refuses some packets is none that we go ahead of, nor do we run after rules that come later.
  const some = without.replace('-A FORWARD -j REJECT', '-A FORWARD -p udp -j REJECT')
  t.is(diff(some, A), `*filter\n-D FORWARD ${OVERLAY}\n-I FORWARD 1 ${OVERLAY}\n-I FORWARD 4 ${FWD}\nCOMMIT\n`)
  t.is(diff(RIGHT.replace(jump, `${jump}\n-A FORWARD -s 10.2.0.0/16 -d 192.168.7.0/24 -j DROP`), A), undefined)
})

test('the wide accepts go behind every rule of Docker, one it appends later too', (t) => {
  const later = [
    '-i docker0 -o docker0 -j DROP',
    '-j DOCKER-ISOLATION-STAGE-1',
    '-o br-1 -j DOCKER',
    '-i docker0 ! -o docker0 -j ACCEPT',
  ]
  const right = restore(DOCKER, diff(DOCKER, A) ?? '')
  t.is(diff(right, A), undefined)
  for (const rule of later) {
    const appended = restore(right, `*filter\n-A FORWARD ${rule}\nCOMMIT\n`)
    const forward = parseSaved(restore(appended, diff(appended, A) ?? ''))
      .get('filter')
      ?.chains.get('FORWARD')
    t.deepEqual(forward?.slice(-2), [rule, FWD])
  }
  // One that refuses all ahead of Docker's own is no reason to go ahead of Docker.
  const early = DOCKER.replace('-A FORWARD -o docker0', '-A FORWARD -j REJECT\n-A FORWARD -o docker0')
  t.is(
    parseSaved(restore(early, diff(early, A) ?? ''))
      .get('filter')
      ?.chains.get('FORWARD')
      ?.at(-1),
    FWD,
  )
})
