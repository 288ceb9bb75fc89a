// The judgement over what probes showed: every fault by its name, and none where there is none.
import test from 'ava'
import { DIRECT, TUNNEL, type PathState, judgeTurns, seeded } from '../fake/probed-path.ts'

const WELL: PathState = {}
/** The tunnel is silent, its host answers. */
const SILENT: PathState = { tunnel: { open: false } }
const DOWN: PathState = { tunnel: { open: false }, underlay: { open: false } }
/** Turn n starts at n * 5000 ms and ends 2000 ms later. */
const says = (heardUsAt: number | undefined, at = 11_000): PathState => ({
  ...SILENT,
  evidence: { saidAt: at, underlayAt: at, heardUsAt },
})

const last = (worlds: readonly PathState[], path = TUNNEL): object => judgeTurns(path, worlds).at(-1) ?? {}

test('5% loss each way for ten minutes, 16 peers, 20 times over: no alarm', (t) => {
  const loss = 1 - 0.95 ** 2
  for (let seed = 1; seed <= 20 * 16; seed++) {
    const random = seeded(seed)
    const states = judgeTurns(
      TUNNEL,
      Array.from({ length: 120 }, (): PathState => ({ loss, random })),
    )
    t.deepEqual(
      states.filter(({ state, cause }) => state !== 'up' || cause !== 'none'),
      [],
      `seed ${seed}`,
    )
  }
})

test('the reported loss is close to the real one; heavy loss is degraded, until it ends', (t) => {
  const random = seeded(7)
  const states = judgeTurns(TUNNEL, [
    ...Array.from({ length: 60 }, (): PathState => ({ loss: 0.1, random })),
    ...Array.from({ length: 60 }, (): PathState => ({ loss: 0.6, random })),
    ...Array.from({ length: 60 }, (): PathState => WELL),
  ])
  const mean = states.slice(20, 60).reduce((sum, { loss }) => sum + loss, 0) / 40
  t.true(mean > 0.05 && mean < 0.15, `${mean}`)
  const bad = states.slice(90, 120).filter(({ note }) => note === 'many packets are lost')
  t.true(bad.length > 20, `${bad.length} of 30 turns`)
  t.like(bad[0], { state: 'degraded', cause: 'loss' })
  t.like(states.at(-1), { state: 'up', cause: 'none' })
  t.true((states.at(-1)?.loss ?? 1) < 0.05)
})

test('a tunnel that falls silent while its host answers is blocked, at the first turn', (t) => {
  t.like(last([WELL, SILENT]), {
    state: 'unreachable',
    cause: 'tunnel-blocked',
    note: 'udp 8472 blocked?',
    loss: 1,
    rttMs: undefined,
    since: 1_005_000,
  })
  t.like(last([WELL, SILENT, SILENT]), { since: 1_005_000 }, 'and since then')
  t.like(last([WELL, SILENT, WELL]), { state: 'up', cause: 'none', loss: 0, pathMtu: 1450 })
})

test('the blocked direction follows from what the peer sends and reports', (t) => {
  const comesIn: PathState = { ...SILENT, evidence: { tunnelAt: 11_000 } }
  t.like(last([WELL, SILENT, comesIn]), { cause: 'tunnel-blocked-out' }, 'its requests come in')
  t.like(last([WELL, SILENT, says(10_900)]), { cause: 'tunnel-blocked-in' }, 'it receives ours')
  t.like(last([WELL, SILENT, says(4900)]), { cause: 'tunnel-blocked' }, 'it received ours only before')
  t.like(last([WELL, SILENT, says(undefined)]), { cause: 'tunnel-blocked' }, 'it never received ours')
  const stale: PathState = { ...SILENT, evidence: { tunnelAt: 4900 } }
  t.like(last([WELL, SILENT, stale]), { cause: 'tunnel-blocked' }, 'what came in before it fell silent proves nothing')
  t.like(last([WELL, SILENT, comesIn, SILENT]), { cause: 'tunnel-blocked-out' }, 'what was known stays')
})

test('a peer that answers no ICMP at all is up when both sides hear each other', (t) => {
  const both: PathState = { ...DOWN, evidence: { tunnelAt: 6000, saidAt: 6000, heardUsAt: 5900 } }
  t.like(last([both, both]), { state: 'up', cause: 'none', loss: 0 })
})

test('a host that is down is distinguished from one that drops ICMP', (t) => {
  t.like(last([WELL, DOWN]), {
    state: 'unreachable',
    cause: 'host-down',
    note: 'its host does not answer either: down?',
  })
  const deaf: PathState = { underlay: { open: false } }
  t.like(last([WELL, deaf]), { state: 'up', cause: 'none', note: '' })
  t.like(last([deaf, DOWN]), { note: 'its host does not answer either: down, or udp 8472 blocked' })
  const alive: PathState = { ...DOWN, evidence: { underlayAt: 6000 } }
  t.like(last([WELL, alive]), { cause: 'tunnel-blocked' }, 'a host that still asks is not down')
})

test('a peer that never answered has one more turn: it may not know us yet', (t) => {
  t.like(last([SILENT]), { state: 'unknown', cause: 'none', note: 'no answer yet' })
  t.like(last([SILENT, SILENT]), { state: 'unreachable', cause: 'tunnel-blocked' })
})

test('by a plain route: silence means the host is down, unless it never answered and no ICMP error says it is gone', (t) => {
  const down: PathState = { underlay: { open: false } }
  t.like(last([WELL, down], DIRECT), { state: 'unreachable', cause: 'host-down', note: 'does not answer: down?' })
  t.like(last([down, down, down], DIRECT), { state: 'unknown', cause: 'none' })
  t.like(last([down, { ...down, refused: true }], DIRECT), { state: 'unreachable', cause: 'host-down' })
})

test('a path that takes less than the full MTU: lost in the tunnel, or in fragments beneath it', (t) => {
  t.like(last([WELL, { tunnel: { mtu: 1350 }, underlay: { mtu: 1400 } }]), {
    state: 'degraded',
    cause: 'path-mtu',
    pathMtu: 1350,
    note: "below the tunnel's 1450: larger packets are lost",
  })
  t.like(last([{ underlay: { mtu: 1400 } }]), {
    state: 'up',
    cause: 'path-mtu',
    pathMtu: 1350,
    note: "below the tunnel's 1450: larger packets are fragmented",
  })
  t.like(last([{ underlay: { mtu: 1400 } }], DIRECT), {
    state: 'degraded',
    cause: 'path-mtu',
    pathMtu: 1400,
    note: "below the network's 1500: larger packets are lost",
  })
})

test('a path MTU that changes is followed, and its end is seen', (t) => {
  const at = (mtu: number): PathState => ({ tunnel: { mtu } })
  t.deepEqual(
    judgeTurns(TUNNEL, [at(1400), at(1400), at(1300), at(1390), WELL]).map(({ pathMtu }) => pathMtu),
    [1400, 1400, 1300, 1390, 1450],
  )
})
