// Who can read the traffic: what passes between two hosts of other kernels, while their network's backend is changed from one to the next.
import test, { type ExecutionContext } from 'ava'
import { headerBytes, startCapture } from '../lab/instruments/capture.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Ground, type MatrixHost, configOf, joinHost, prepareGround } from '../lab/scenarios/matrix-host.ts'
import type { Kernel } from '../lab/world/kernel.ts'

/** A backend of the changes. */
interface Wire {
  readonly type: string
  readonly options: object
  /** Whether a listener reads addresses and content of the containers' packets. */
  readonly readable: boolean
  /** A shell command that succeeds on a host that sends to the address $1 this way. */
  readonly sends: string
}

const byDevice = (device: string): string => `ip route get $1 | grep 'dev ${device} '`

const WIRES = {
  vxlan: { type: 'vxlan', options: {}, readable: true, sends: byDevice('flannel.1') },
  ipip: { type: 'ipip', options: {}, readable: true, sends: byDevice('flannel.ipip') },
  wireguard: { type: 'wireguard', options: {}, readable: false, sends: byDevice('flannel-wg') },
  ipsec: {
    type: 'ipsec',
    options: { PSK: 'f00d'.repeat(24) },
    readable: false,
    sends: `${byDevice('enp0s3')} && ip xfrm policy | grep 'proto esp' && ip xfrm state | grep 'proto esp'`,
  },
} as const satisfies Readonly<Record<string, Wire>>

/** How a host comes to its backends: by its kernel; or, on this machine's, to WireGuard by a program. */
type Seat = Kernel | 'wireguard-go'

/** What pings carry. */
const PAYLOAD = 'f1a77e1d5ec4e7'

for (const [seats, wires] of [
  [
    ['bookworm', 'sid'],
    ['vxlan', 'wireguard', 'ipip', 'ipsec', 'vxlan'],
  ],
  [
    ['bullseye', 'wireguard-go'],
    ['vxlan', 'wireguard'],
  ],
] as const)
  test.serial(`a listener between ${seats.join(' and ')} reads no more than docs/backends.md says`, async (t) => {
    const pair = await joinBoth(t, seats)
    for (const type of wires) await listenTo(t, pair, WIRES[type])
  })

interface Pair {
  readonly ground: Ground
  readonly hosts: readonly [MatrixHost, MatrixHost]
}

async function joinBoth(t: ExecutionContext, seats: readonly [Seat, Seat]): Promise<Pair> {
  const row = { type: 'vxlan', families: [4], options: {}, args: '', prepare: '', harms: [] } as const
  const ground = await prepareGround(t, { ...row, cells: EVERYWHERE }, 'this')
  const join = (seat: Seat, last: number): Promise<MatrixHost> =>
    seat === 'wireguard-go'
      ? joinHost({ ...ground, row: { ...ground.row, args: '-wireguard-go=/usr/bin/wireguard-go' } }, last)
      : joinHost({ ...ground, kernel: seat }, last)
  return { ground, hosts: await Promise.all([join(seats[0], 121), join(seats[1], 122)]) }
}

const EVERYWHERE = { fresh: 'this', takeover: 'this', 'live change': 'this', restart: 'this', damage: 'this' } as const

async function listenTo(t: ExecutionContext, { ground, hosts }: Pair, { type, options, ...wire }: Wire): Promise<void> {
  const [a, b] = hosts
  await ground.etcd.configure(configOf({ type, options, families: [4] }))
  await Promise.all([sends(a, b, type, wire.sends), sends(b, a, type, wire.sends)])
  const capture = await startCapture(t, ground.lan)
  const { address } = b.container
  const ping = (words: string): Promise<string> => a.container.run(`ping -p ${PAYLOAD} ${words} ${address}`)
  // Two hosts of ipsec have to agree on keys first; what is sent until then must not pass in clear either.
  await waitFor(`an answer by ${type}`, () => ping('-c 1 -W 1')).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${a.daemon.output()}`, { cause: error })
  })
  t.regex(await ping('-c 10 -i 0.2'), / 0% packet loss/, type)
  const outer = headerBytes(a.host.address, b.host.address)
  const inner = [headerBytes(a.container.address, address), Buffer.from(PAYLOAD, 'hex')]
  await waitFor(`${type} in the capture`, () => capture.count(outer) >= 10)
  await capture.stop()
  for (const bytes of inner)
    if (wire.readable) t.true(capture.count(bytes) >= 9, type)
    else t.is(capture.count(bytes), 0, type)
  t.log(`${type}: ${wire.readable ? 'read' : 'not read'}`)
}

/** Waits until a host sends to another's container by a backend. */
async function sends(
  { host, daemon }: MatrixHost,
  { container }: MatrixHost,
  type: string,
  command: string,
): Promise<void> {
  const done = (): Promise<string> => host.run(`set -- ${container.address}; ${command}`)
  await waitFor(`${host.name} to send by ${type}`, done).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`, { cause: error })
  })
}
