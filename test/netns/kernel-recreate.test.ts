// A device of which something changes that no living device can change: the new one is made next to the old one, which goes
// only when the kernel has taken the new one.
import { inNamespace } from '../golden/namespace.ts'
import { apply, device, link, peer } from '../golden/objects.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const test = inNamespace()
/** Takes a UDP port on all addresses. */
const bound = (port: number): string =>
  `${process.execPath} -e "require('dgram').createSocket('udp4').bind(${port}, () => console.log('bound'))"`

test('a port that a program uses is refused, and the old device is unchanged', async (t) => {
  const { kernel, space } = t.context
  const { fdb, neighbor, route } = { ...peer(3) }
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  t.deepEqual(await apply(kernel, 'add', [fdb, neighbor, peer(3).nexthop, route]), [])
  await (await space.spawn(bound(9999))).line(/bound/)
  const state = (): Promise<string> =>
    space.run(
      `ip -d link show type vxlan; bridge fdb show dev ${device}; ip neigh show dev ${device} nud permanent; ip route`,
    )
  const before = await state()
  const [failure, ...others] = await kernel.apply([{ verb: 'recreate', object: { ...link, port: 9999 } }])
  t.is(failure?.error.message, 'rtnetlink: EADDRINUSE')
  t.deepEqual(others, [])
  t.is(await state(), before)
})

test('another port, other group policies and another VNI are taken over by name, MAC and settings', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [link]), [])
  // As a killed run leaves it.
  await space.run('ip link add flannel.new type vxlan id 77 dstport 7777')
  for (const wanted of [
    { ...link, port: 9999 },
    { ...link, port: 9999, gbp: true },
    { ...link, port: 9999, vni: 5, gbp: true },
    link,
  ]) {
    t.deepEqual(await kernel.apply([{ verb: 'recreate', object: wanted }]), [])
    t.deepEqual((await kernel.observe('link', [device])).get(`link ${device}`), wanted)
    t.is((await kernel.observe('link', [device])).size, 1)
    await waitFor(
      'no address of its own accord',
      async () => !(await space.run(`ip addr show ${device}`)).includes('inet6'),
    )
  }
})
