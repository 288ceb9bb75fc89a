// Peers admit packets from a host's address, so only the host itself may send VXLAN from it. Containers try by every path.
import test, { type ExecutionContext } from 'ava'
import { createGuard } from '../../src/firewall/nftables/guard.ts'
import { createLog } from '../../src/log.ts'
import { type Container, createContainer } from '../lab/world/container.ts'
import { NUMBERINGS, type Numbering } from '../lab/scenarios/numbering.ts'
import { type FirewalledHosts, createFirewalledHosts } from '../lab/scenarios/firewalled-host.ts'
import { guardedPort } from '../lab/scenarios/port-guard.ts'
import type { Host } from '../lab/world/lab.ts'
import type { Place } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { address } from '../fake/values.ts'

interface World extends FirewalledHosts {
  /** A container of another network of Docker's. */
  readonly other: Container
  /** Turns the guard of `host` on. */
  guard(): Promise<void>
  /** What it has dropped of what was forwarded. */
  dropped(): Promise<number>
}

/** A host that masquerades for its containers, a peer and a third host that count VXLAN datagrams; no guard yet. */
async function world(t: ExecutionContext, numbering: Numbering): Promise<World> {
  const on = await createFirewalledHosts(t, 'vxlan', numbering)
  const env = { FLANNEL_SUBNET: numbering.docker(18).bridge, FLANNEL_MTU: '1500' }
  const other = await createContainer(on.host, env, 2, 'br-other')
  await on.docker('20.10', 'and others')
  await on.protect({ masquerade: true })
  await on.host.run('sysctl -q -w net.ipv4.conf.all.rp_filter=0; sysctl -q -w net.ipv4.conf.docker0.rp_filter=0')
  for (const host of [on.peer, on.neighbour])
    await host.run(`nft -f - <<end
add table inet seen
add chain inet seen input { type filter hook input priority -310; }
add rule inet seen input udp dport 8472 @th,96,24 1 @th,128,32 ${MARK} counter
end`)
  const netns = `/proc/${on.host.pid}/ns/net`
  const log = createLog('test', 0, (line) => {
    t.log(line)
  })
  const guard = createGuard({ log, resyncSeconds: 1, netns, prefix: ['nsenter', `--net=${netns}`] })
  t.teardown(() => {
    guard.stop()
  })
  return {
    ...on,
    other,
    async guard() {
      const peers = [address(on.at.peer), address(on.at.neighbour)]
      const [device] = guardedPort({}, numbering).devices
      guard.want([{ devices: [{ ...device, own: [address(on.at.host)] }], allowed: [], peers }])
      await guard.settled()
      t.is(guard.error(), undefined)
    },
    dropped: async () => packets(await on.host.run('nft list counter inet flannel-guard-1 forwarded')),
  }
}

/** How the frames of these tests start, so that no other datagram is counted. */
const MARK = 0xabadcafe

/** Sends one datagram that the VXLAN device of `to` would take in. */
async function send(from: Place, to: string, vni = 1): Promise<void> {
  const bytes = [8, 0, 0, 0, 0, 0, vni, 0, 0xab, 0xad, 0xca, 0xfe, ...Array<number>(30).fill(0)]
  const text = bytes.map((byte) => `\\\\x${byte.toString(16).padStart(2, '0')}`).join('')
  await from.run(`bash -c "printf '${text}' >/dev/udp/${to}/8472"`)
}

function packets(text: string): number {
  return Number(/packets (\d+)/.exec(text)?.[1])
}

const seenBy = async (host: Host): Promise<number> => packets(await host.run('nft list table inet seen'))

/** Ways a container has to send something by its host's address, or by that of a peer. */
const WAYS: Readonly<Record<string, (on: World) => Promise<{ readonly to: Host; send(): Promise<unknown> }>>> = {
  'a container of the network, masqueraded': (on) =>
    Promise.resolve({ to: on.peer, send: () => send(on.container, on.at.peer) }),
  'a container of another network of Docker’s, masqueraded': (on) =>
    Promise.resolve({ to: on.peer, send: () => send(on.other, on.at.peer) }),
  async 'a container that takes a peer’s address for its own'(on) {
    const { bits, within } = on.numbering
    await on.container.run(`ip addr add ${on.at.neighbour}/${bits} dev lo
      ip route add ${on.at.peer} via ${within(21, 1)} src ${on.at.neighbour}`)
    return { to: on.peer, send: () => send(on.container, on.at.peer) }
  },
  async 'the answer of a published port'(on) {
    const { family, endpoint } = on.numbering
    const to = endpoint(on.container.address, 5001)
    await on.iptables(`-t nat -I PREROUTING -i enp0s3 -p udp --dport 5001 -j DNAT --to-destination ${to}`)
    const answer = `Buffer.from('0800000000000100abadcafe' + '00'.repeat(30), 'hex')`
    const program = `const s = require('dgram').createSocket('udp${family}'); s.on('message', (m, r) => s.send(${answer}, r.port, r.address)); s.bind(5001, () => console.log('up'))`
    await (await on.container.spawn(`${process.execPath} -e "${program}"`)).line(/up/)
    const ask = `const s = require('dgram').createSocket('udp${family}'); s.bind(8472, () => s.send('x', 5001, '${on.at.host}', () => s.close()))`
    return { to: on.neighbour, send: () => on.neighbour.run(`${process.execPath} -e "${ask}"`) }
  },
}

for (const numbering of Object.values(NUMBERINGS)) {
  const { family } = numbering
  for (const [way, prepare] of Object.entries(WAYS)) {
    test.serial(`IPv${family}: nobody sends VXLAN by a guarded host's name: ${way}`, async (t) => {
      const on = await world(t, numbering)
      const by = await prepare(on)
      const before = await seenBy(by.to)
      await by.send()
      await waitFor('one that arrives, without a guard', async () => (await seenBy(by.to)) > before)
      const arrived = await seenBy(by.to)
      await on.guard()
      for (let i = 1; i <= 3; i++) {
        await by.send()
        await waitFor(`the guard to drop ${i}`, async () => (await on.dropped()) >= i)
      }
      t.is(await seenBy(by.to), arrived)
      await on.container.run(`ping -c 1 -W 5 ${on.remote.address}`)
    })
  }

  test.serial(
    `IPv${family}: what the guard leaves alone: other VNIs, VXLAN between containers, the host’s own`,
    async (t) => {
      const on = await world(t, numbering)
      await on.guard()
      await on.container.run(`ping -c 1 -W 5 ${on.remote.address}`)
      const came = async (place: Place): Promise<number> => {
        if (family === 6) return Number(/^Udp6NoPorts\s+(\d+)/m.exec(await place.run('cat /proc/net/snmp6'))?.[1])
        const [names = [], values = []] = (await place.run('grep ^Udp: /proc/net/snmp'))
          .split('\n')
          .map((line) => line.split(' '))
        return Number(values[names.indexOf('NoPorts')])
      }
      const before = await came(on.remote)
      await send(on.container, on.remote.address)
      await waitFor('a network in the network', async () => (await came(on.remote)) > before)
      const another = await came(on.neighbour)
      await send(on.container, on.at.neighbour, 2)
      await waitFor('another VNI', async () => (await came(on.neighbour)) > another)
      const own = await seenBy(on.neighbour)
      await send(on.host, on.at.neighbour)
      await waitFor('a program of the host itself', async () => (await seenBy(on.neighbour)) > own)
      t.is(await on.dropped(), 0)
    },
  )
}
