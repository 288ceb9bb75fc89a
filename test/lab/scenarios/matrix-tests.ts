// One test per cell of a row of the matrix of backends and families, on the real kernel that the cell names.
import test, { type ExecutionContext } from 'ava'
import { errors } from '../instruments/log-lines.ts'
import { waitFor } from '../instruments/wait.ts'
import type { Host } from '../world/lab.ts'
import { PREFIX } from '../world/network.ts'
import {
  type Ground,
  type MatrixHost,
  type Taken,
  configOf,
  createPair,
  joinHost,
  leaseOf,
  more,
  pingEachOther,
  prepareGround,
  reachEachOther,
  startDaemon,
  stopPings,
  withContainer,
} from './matrix-host.ts'
import { COLUMNS, type Column, type Kernel, type Row, nameOf } from './matrix-row.ts'
import { ourObjects } from './matrix-objects.ts'

/** The kernel that this process runs under: what the harness of other kernels sets. */
const KERNEL = (process.env['FLANNELD_TEST_KERNEL'] ?? 'this') as Kernel

const CELLS: Readonly<Record<Column, (t: ExecutionContext, row: Row) => Promise<string>>> = {
  fresh,
  takeover,
  'live change': liveChange,
  restart,
  damage,
}

/** Declares the tests of a row's cells for this kernel. */
export function matrixTests(row: Row): void {
  for (const column of COLUMNS) {
    const cell = row.cells[column]
    if (cell !== KERNEL) continue
    test.serial(`${nameOf(row)}: ${column}`, async (t) => {
      t.log(`${nameOf(row)} | ${column} | ${await CELLS[column](t, row)}`)
    })
  }
}

async function fresh(t: ExecutionContext, row: Row): Promise<string> {
  const ground = await prepareGround(t, row)
  const pair = await createPair(ground)
  const all = await pingEachOther(...pair)
  const { lost, sent } = await stopPings(all)
  t.is(lost, 0, `of ${sent} pings`)
  for (const { daemon } of pair) t.deepEqual(errors(daemon), [])
  return `${sent} pings answered`
}

/** Ways to end a daemon, each of which the data path must not notice. */
const ENDS = ['SIGTERM', 'SIGKILL'] as const

async function restart(t: ExecutionContext, row: Row): Promise<string> {
  const [a, b] = await createPair(await prepareGround(t, row))
  const all = await pingEachOther(a, b)
  for (const signal of ENDS) {
    await a.daemon.stop(signal)
    await more(all, 50)
    a.daemon = await startDaemon(a.host, row)
    await a.daemon.line(/ready/)
    await more(all, 50)
  }
  const { lost, sent, longestGap } = await stopPings(all)
  t.is(lost, 0, `of ${sent} pings, longest gap ${longestGap} ms\n${a.daemon.output()}`)
  return `none of ${sent} packets lost`
}

async function liveChange(t: ExecutionContext, row: Row): Promise<string> {
  const vxlan = { ...row, type: 'vxlan', options: {} }
  const ground = await prepareGround(t, vxlan)
  const pair = await createPair(ground)
  const all = await pingEachOther(...pair)
  for (const next of [row, vxlan, row]) {
    await ground.etcd.configure(configOf(next))
    for (const { host, daemon } of pair) {
      await waitFor(`the lease of ${host.name} to say ${next.type}`, () => leaseSays(ground, host, next.type)).catch(
        (error: unknown) => t.fail(`${String(error)}\n${daemon.output()}`),
      )
    }
    await more(all, 100)
  }
  const { lost, sent, longestGap } = await stopPings(all)
  t.is(lost, 0, `of ${sent} pings, longest gap ${longestGap} ms\n${pair[0].daemon.output()}`)
  return `none of ${sent} packets lost`
}

/** Whether a host's lease names this backend. */
async function leaseSays(ground: Ground, host: Host, type: string): Promise<boolean> {
  return (await leaseOf(ground, host))['BackendType'] === leaseTypeOf(type)
}

/** What the lease of a backend says: our `auto` is vxlan to others. */
function leaseTypeOf(type: string): string {
  return type === 'auto' ? 'vxlan' : type
}

async function damage(t: ExecutionContext, row: Row): Promise<string> {
  const [own, peer] = await createPair(await prepareGround(t, row))
  const before = await ourObjects(own.host)
  for (const { fault, script } of row.harms) {
    await own.host.run(`set -e; ${script(own, peer)}`)
    const repaired = async (): Promise<boolean> => (await ourObjects(own.host)) === before
    await waitFor(`${fault}: repaired`, repaired).catch(async () => {
      t.is(await ourObjects(own.host), before, `${fault}\n${own.daemon.output()}`)
    })
    await reachEachOther(own, peer)
    t.pass(fault)
    t.log(`repaired: ${fault}`)
  }
  return `${row.harms.length} kinds repaired`
}

async function takeover(t: ExecutionContext, row: Row): Promise<string> {
  const { left } = row
  if (left === undefined) throw new Error(`${nameOf(row)}: nothing says what Go's flanneld leaves`)
  const ground = await prepareGround(t, row)
  const host = await ground.lan.host(121)
  // Before the peer chooses a subnet.
  await putGoLease(ground, host)
  const peer = await joinHost(ground, 122)
  const taken = await afterGo(ground, host, peer)
  await reachEachOther(taken, peer)
  const all = await pingEachOther(taken, peer)
  const own: MatrixHost = { ...taken, daemon: await startDaemon(taken.host, row) }
  await own.daemon.line(/ready/).catch((error: unknown) => t.fail(`${String(error)}\n${own.daemon.output()}`))
  await more(all, 100).catch((error: unknown) =>
    t.fail(`${String(error)}\n${own.daemon.output()}\n${peer.daemon.output()}`),
  )
  const { lost, sent, longestGap } = await stopPings(all)
  t.is(lost, 0, `of ${sent} pings, longest gap ${longestGap} ms\n${own.daemon.output()}`)
  const keys = (await ground.etcd.leases()).filter((key) =>
    Object.values(taken.subnets).some((it) => key.includes(it.replace('/', '-'))),
  )
  t.is(keys.length, 1, 'its lease is the one Go wrote')
  return `none of ${sent} packets lost`
}

/** The subnets that Go's flanneld had leased. */
const GO_SUBNETS = { 4: '10.2.200.0/24', 6: 'fd00:10:2:c8::/64' } as const

/** The lease of host .121 as Go writes it, attached to an etcd lease of a day. */
async function putGoLease({ etcd, row: { families, left } }: Ground, host: Host): Promise<void> {
  const key = families.map((family) => GO_SUBNETS[family].replace('/', '-')).join('&')
  const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  const addresses = { PublicIP: host.address, PublicIPv6: families.includes(6) ? host.address6 : null }
  await etcd.run(
    `etcdctl put --lease=${id} '${PREFIX}/subnets/${key}'`,
    JSON.stringify({ ...addresses, ...left?.lease }),
  )
}

/** A host as Go's flanneld left it a moment ago: subnet.env, devices and entries, and a container. */
async function afterGo(ground: Ground, host: Host, peer: MatrixHost): Promise<Taken> {
  const { left, families, prepare } = ground.row
  await host.run(prepare)
  const env = {
    ...(families.includes(4) ? { FLANNEL_NETWORK: '10.2.0.0/16', FLANNEL_SUBNET: '10.2.200.1/24' } : {}),
    ...(families.includes(6)
      ? { FLANNEL_IPV6_NETWORK: 'fd00:10:2::/48', FLANNEL_IPV6_SUBNET: 'fd00:10:2:c8::1/64' }
      : {}),
    FLANNEL_MTU: String(left?.mtu),
    FLANNEL_IPMASQ: 'false',
  }
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  await host.run('mkdir -p /run/flannel; cat >/run/flannel/subnet.env', `${lines.join('\n')}\n`)
  const taken = await withContainer(host, env)
  await host.run(`set -e; ${left?.script(taken, peer, await leaseOf(ground, peer.host)) ?? ''}`)
  return taken
}
