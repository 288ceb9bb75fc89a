// Who can read the traffic: what passes between two hosts with wireguard, where the kernel encrypts and where a program does.
import test from 'ava'
import { headerBytes, startCapture } from '../lab/instruments/capture.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type MatrixHost, configOf, joinHost, prepareGround, reachEachOther } from '../lab/scenarios/matrix-host.ts'
import type { Row } from '../lab/scenarios/matrix-row.ts'
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import type { Kernel } from '../lab/world/kernel.ts'

/** What pings carry. */
const PAYLOAD = 'f1a77e1d5ec4e7'

/** Ports of UDP from 51820 to 51820. */
const WIREGUARD = Buffer.from('ca6cca6c', 'hex')

/** How a host comes to WireGuard: by its kernel; or, on this machine's kernel, by a program. */
const PAIRS: readonly (readonly [Kernel, Kernel | 'wireguard-go'])[] = [
  ['bookworm', 'sid'],
  ['bullseye', 'wireguard-go'],
]

for (const [one, other] of PAIRS)
  test.serial(`what is read on the wire with vxlan is not with wireguard: ${one} and ${other}`, async (t) => {
    const [wireguard, vxlan] = [ipv4Row('wireguard'), ipv4Row('vxlan')]
    const ground = await prepareGround(t, vxlan, 'this')
    const join = (seat: Kernel | 'wireguard-go', last: number): Promise<MatrixHost> =>
      seat === 'wireguard-go'
        ? joinHost({ ...ground, row: { ...vxlan, args: '-wireguard-go=/usr/bin/wireguard-go' } }, last)
        : joinHost({ ...ground, kernel: seat }, last)
    const pair = await Promise.all([join(one, 121), join(other, 122)])
    await reachEachOther(...pair)
    const [a, b] = pair
    const addresses = headerBytes(a.container.address, b.container.address)
    const ping = (): Promise<string> => a.container.run(`ping -c 10 -i 0.2 -p ${PAYLOAD} ${b.container.address}`)

    const open = await startCapture(t, ground.lan)
    await ping()
    const inClear = (): boolean => open.count(addresses) >= 10 && open.count(Buffer.from(PAYLOAD, 'hex')) >= 20
    await waitFor('the pings in the capture', inClear)
    await open.stop()

    await ground.etcd.configure(configOf(wireguard))
    await Promise.all([routedBy('flannel-wg', a, b), routedBy('flannel-wg', b, a)])
    const encrypted = await startCapture(t, ground.lan)
    t.regex(await ping(), / 0% packet loss/)
    await waitFor('WireGuard in the capture', () => encrypted.count(WIREGUARD) >= 20)
    await encrypted.stop()
    t.is(encrypted.count(addresses), 0)
    t.is(encrypted.count(Buffer.from(PAYLOAD, 'hex')), 0)
    for (const { host, daemon } of pair)
      t.false(daemon.output().includes((await host.run('cat /run/flannel/wgkey')).trim()), 'the log has no key')
  })

function ipv4Row(type: string): Row {
  const row = rowsOf(type).find(({ families }) => families.includes(4))
  if (row === undefined) throw new Error(`no row of ${type}`)
  return { ...row, families: [4], args: '', prepare: '' }
}

/** Waits until a host sends to another's containers by this device. */
async function routedBy(device: string, { host, daemon }: MatrixHost, { container }: MatrixHost): Promise<void> {
  const routed = async (): Promise<boolean> =>
    (await host.run(`ip route get ${container.address}`)).includes(`dev ${device} `)
  await waitFor(`${host.name} to send by ${device}`, routed).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`, { cause: error })
  })
}
