// One test per cell of a row of the matrix of backends and families, on the real kernel that the cell names. The cells of a row share two
// hosts; the takeover adds a third.
import test, { type ExecutionContext } from 'ava'
import { waitFor } from '../instruments/wait.ts'
import { fileOwner } from '../world/file-owner.ts'
import { PREFIX } from '../world/network.ts'
import type { Owner } from '../world/space.ts'
import {
  type Ground,
  type Machine,
  type MatrixHost,
  type Taken,
  configOf,
  createPair,
  leaseOf,
  machineAt,
  more,
  pingEachOther,
  prepareGround,
  reachEachOther,
  startDaemon,
  stopPings,
  withContainer,
} from './matrix-host.ts'
import { ourObjects } from './matrix-objects.ts'
import { type Column, type Kernel, type Row, nameOf } from './matrix-row.ts'

/** Two hosts on their ground. */
interface Field {
  readonly ground: Ground
  readonly pair: readonly [MatrixHost, MatrixHost]
}

const CELLS: Readonly<Record<Column, (t: ExecutionContext, field: Field) => Promise<string>>> = {
  fresh,
  damage,
  restart,
  'live change': liveChange,
  takeover,
}

/** Declares the tests of a row's cells that belong on one of these kernels. */
export function matrixTests(row: Row, kernels: readonly Kernel[]): void {
  const owner = fileOwner()
  const fields = new Map<Kernel, Promise<Field>>()
  for (const column of Object.keys(CELLS) as readonly Column[]) {
    const kernel = row.cells[column]
    if (typeof kernel !== 'string' || !kernels.includes(kernel)) continue
    test.serial(`${nameOf(row)}: ${column}${kernel === 'this' ? '' : ` (${kernel})`}`, async (t) => {
      const field = fields.get(kernel) ?? fieldOf(owner, row, kernel)
      fields.set(kernel, field)
      t.log(`${nameOf(row)} | ${column} | ${await CELLS[column](t, await field)}`)
    })
  }
}

async function fieldOf(owner: Owner, row: Row, kernel: Kernel): Promise<Field> {
  const ground = await prepareGround(owner, row, kernel)
  return { ground, pair: await createPair(ground) }
}

async function fresh(t: ExecutionContext, { ground, pair }: Field): Promise<string> {
  const { lost, sent } = await stopPings(await pingEachOther(ground, ...pair))
  // The first packets of an emulated host may be late, which counts as lost.
  t.true(ground.kernel === 'this' ? lost === 0 : lost < sent / 20, `${lost} of ${sent} pings lost`)
  // An emulated host may be too slow for the first answer of etcd.
  for (const { daemon } of pair) t.notRegex(daemon.output(), /^E\d{4} (?!.*: no answer; waiting)/m)
  return `${sent} pings answered`
}

/** Ways to end a daemon, each of which the data path must not notice. */
const ENDS = ['SIGTERM', 'SIGKILL'] as const

async function restart(t: ExecutionContext, { ground, pair: [a, b] }: Field): Promise<string> {
  const all = await pingEachOther(ground, a, b)
  for (const signal of ENDS) {
    await a.daemon.stop(signal)
    await more(all, 50)
    a.daemon = await startDaemon(a.host, ground.row)
    await a.daemon.line(/ready:/)
    await more(all, 50)
  }
  return noneLost(t, ground, all, a)
}

async function liveChange(t: ExecutionContext, { ground, pair }: Field): Promise<string> {
  const { row, etcd } = ground
  const vxlan = { ...row, type: 'vxlan', options: {} }
  const all = await pingEachOther(ground, ...pair)
  for (const next of [vxlan, row, vxlan, row]) {
    await etcd.configure(configOf(next))
    for (const { host, daemon } of pair) {
      const says = async (): Promise<boolean> => (await leaseOf(ground, host))['BackendType'] === leaseTypeOf(next.type)
      await waitFor(`the lease of ${host.name} to say ${next.type}`, says).catch((error: unknown) =>
        t.fail(`${String(error)}\n${daemon.output()}`),
      )
    }
    if (next === row) await untilEach(pair, row.change?.leads)
    await more(all, 100)
  }
  await untilEach(pair, row.change?.over)
  await more(all, 50)
  return noneLost(t, ground, all, pair[0])
}

/** Waits until a script succeeds on each host. */
async function untilEach(pair: Field['pair'], script: string | undefined): Promise<void> {
  if (script === undefined) return
  for (const { host } of pair)
    await waitFor(`${host.name}: ${script}`, async () => (await host.run(`if ${script}; then echo yes; fi`)) !== '')
}

/** What the lease of a backend says: `auto` is vxlan to others. */
function leaseTypeOf(type: string): string {
  return type === 'auto' ? 'vxlan' : type
}

async function damage(t: ExecutionContext, { ground, pair: [own, peer] }: Field): Promise<string> {
  await untilEach([own, peer], ground.row.settled)
  const before = await ourObjects(own.host)
  for (const { fault, script } of ground.row.harms) {
    await own.host.run(`set -e; ${script(own, peer)}`)
    const repaired = async (): Promise<boolean> => (await ourObjects(own.host)) === before
    await waitFor(`${fault}: repaired`, repaired).catch(async () => {
      t.is(await ourObjects(own.host), before, `${fault}\n${own.daemon.output()}`)
    })
    await reachEachOther(own, peer)
    t.pass(fault)
    t.log(`repaired: ${fault}`)
  }
  return `${ground.row.harms.length} kinds repaired`
}

async function takeover(t: ExecutionContext, { ground, pair }: Field): Promise<string> {
  const [, peer] = pair
  await ground.etcd.configure(configOf(ground.row, {}))
  const host = await machineAt(ground, 123)
  await putGoLease(ground, host)
  const taken = await afterGo(ground, host, peer)
  await reachEachOther(taken, peer)
  const all = await pingEachOther(ground, taken, peer)
  const own: MatrixHost = { ...taken, daemon: await startDaemon(host, ground.row) }
  await own.daemon.line(/ready:/).catch((error: unknown) => t.fail(`${String(error)}\n${own.daemon.output()}`))
  await more(all, 100).catch((error: unknown) => t.fail(`${String(error)}\n${own.daemon.output()}`))
  const result = await noneLost(t, ground, all, own)
  t.true((await ground.etcd.leases()).includes(goKey(ground)), 'its lease is the one Go wrote')
  return result
}

/**
 * The share of packets that a kernel in an emulator may lose: on a busy machine its card overflows by itself. A gap of half a second
 * is more.
 */
const LOST_BY_EMULATOR = 0.004

async function noneLost(
  t: ExecutionContext,
  { kernel }: Ground,
  all: Awaited<ReturnType<typeof pingEachOther>>,
  { daemon }: MatrixHost,
): Promise<string> {
  const { lost, sent, longestGap } = await stopPings(all)
  const text = `${lost} of ${sent} packets lost`
  const most = kernel === 'this' || kernel === 'uml' ? 0 : sent * LOST_BY_EMULATOR
  t.true(lost <= most, `${text}, longest gap ${longestGap} ms\n${daemon.output()}`)
  return text
}

/** The subnets that Go's flanneld had leased. */
const GO_SUBNETS = { 4: '10.2.255.0/24', 6: 'fd00:10:2:ff::/64' } as const

function goKey({ row: { families } }: Ground): string {
  return families.map((family) => GO_SUBNETS[family].replace('/', '-')).join('&')
}

/** A host's lease as Go writes it, attached to an etcd lease of a day. */
async function putGoLease(ground: Ground, host: Machine): Promise<void> {
  const { etcd, row } = ground
  const { left, families } = row
  const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  const addresses = { PublicIP: host.address, PublicIPv6: families.includes(6) ? host.address6 : null }
  await etcd.run(
    `etcdctl put --lease=${id} '${PREFIX}/subnets/${goKey(ground)}'`,
    JSON.stringify({ ...addresses, ...left?.lease }),
  )
}

/** A host as Go's flanneld left it a moment ago: subnet.env, devices and entries, and a container. */
async function afterGo(ground: Ground, host: Machine, peer: MatrixHost): Promise<Taken> {
  const { left, families } = ground.row
  if (left === undefined) throw new Error(`${nameOf(ground.row)}: nothing says what Go's flanneld leaves`)
  const env = {
    ...(families.includes(4) ? { FLANNEL_NETWORK: '10.2.0.0/16', FLANNEL_SUBNET: '10.2.255.1/24' } : {}),
    ...(families.includes(6)
      ? { FLANNEL_IPV6_NETWORK: 'fd00:10:2::/48', FLANNEL_IPV6_SUBNET: 'fd00:10:2:ff::1/64' }
      : {}),
    FLANNEL_MTU: String(left.mtu),
    FLANNEL_IPMASQ: 'false',
  }
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  await host.run('mkdir -p /run/flannel; cat >/run/flannel/subnet.env', `${lines.join('\n')}\n`)
  const taken = await withContainer(host, env)
  await host.run(`set -e; ${left.script(taken, peer, await leaseOf(ground, peer.host))}`)
  return taken
}
