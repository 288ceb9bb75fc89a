// IPv6 fragments past the guard: Linux puts them together behind the chain at input, so a stranger could hide the VNI in the second.
import test from 'ava'
import { type Address, toBytes } from '../../src/ip/address.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { createGuardHosts, guardedPort } from '../lab/scenarios/port-guard.ts'
import { NUMBERINGS } from '../lab/scenarios/numbering.ts'
import type { Host } from '../lab/world/lab.ts'
import { address } from '../fake/values.ts'

const NEXT_HEADER = { udp: 17, fragment: 44 }

/** VXLAN with a frame that nothing answers: the header (RFC 7348, section 5), then Ethernet of an experimental type. */
function datagram(from: Address, to: Address, vni: number): Buffer {
  const vxlan = [8, 0, 0, 0, 0, 0, vni, 0]
  const frame = [...Array<number>(6).fill(0xff), 2, 0, 0, 0, 0, 9, 0x88, 0xb5, ...Array<number>(46).fill(0)]
  const length = 8 + vxlan.length + frame.length
  const udp = Buffer.from([0x21, 0x18, 0x21, 0x18, 0, length, 0, 0, ...vxlan, ...frame])
  // The checksum (RFC 8200, section 8.1) is over both addresses, the length and the next header too.
  const summed = Buffer.concat([
    toBytes(from),
    toBytes(to),
    Buffer.from([0, 0, 0, length, 0, 0, 0, NEXT_HEADER.udp]),
    udp,
  ])
  let sum = 0
  for (let at = 0; at < summed.length; at += 2) sum += summed.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  udp.writeUInt16BE(~sum & 0xffff || 0xffff, 6)
  return udp
}

/** Sends a datagram in two fragments, the first of which ends with the UDP header (RFC 8200, section 4.5). */
async function sendInTwo(from: Host, to: Host, vni: number): Promise<void> {
  const whole = datagram(address(from.address6), address(to.address6), vni)
  const id = Math.floor(Math.random() * 0xffff_ffff)
  const fragment = (offset: number, more: 0 | 1, data: Buffer): string => {
    const header = Buffer.alloc(8)
    header.writeUInt8(NEXT_HEADER.udp, 0)
    header.writeUInt16BE(offset | more, 2)
    header.writeUInt32BE(id, 4)
    return Buffer.concat([header, data]).toString('hex')
  }
  const script = `use Socket qw(:all);
    socket(my $s, AF_INET6, SOCK_RAW, ${NEXT_HEADER.fragment}) or die;
    for (@ARGV) { send($s, pack("H*", $_), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "${to.address6}"))) or die }`
  const both = [fragment(0, 1, whole.subarray(0, 8)), fragment(8, 0, whole.subarray(8))]
  await from.run(`perl -e '${script}' ${both.join(' ')}`)
}

/** Packets that came out of a tunnel. */
async function received(on: Host, device: string): Promise<number> {
  const [link] = JSON.parse(await on.run(`ip -s -j link show ${device}`)) as [{ stats64: { rx: { packets: number } } }]
  return link.stats64.rx.packets
}

test('a stranger that puts the VNI into the second fragment is dropped and counted, a peer is let in', async (t) => {
  const numbering = NUMBERINGS[6]
  const { device } = numbering
  const { host, peer, stranger, guard } = await createGuardHosts(t, numbering)
  // Silent: IPv6 has things to say of its own.
  for (const one of [peer, stranger]) await one.run(`ip link set ${device} down`)
  const before = await received(host, device)
  await sendInTwo(stranger, host, 1)
  await waitFor('one that gets in, without a guard', async () => (await received(host, device)) === before + 1)

  guard.want([{ ...guardedPort({}, numbering), peers: [address(peer.address6)] }])
  await guard.settled()
  t.is(guard.error(), undefined)
  await sendInTwo(stranger, host, 1)
  await waitFor('the guard to drop it', async () => (await guard.dropped()) === 1n)
  await sendInTwo(peer, host, 1)
  await waitFor('that of the peer', async () => (await received(host, device)) === before + 2)
  t.is(await received(host, device), before + 2)
  t.is(await guard.dropped(), 1n)
})
