// `flanneld cleanup` restores a host to its state before the first start, byte for byte; a stop alone changes nothing.
import test from 'ava'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { IPV6 } from '../lab/scenarios/cluster.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** All that a daemon touches, without counters and ages. */
function stateOf(host: Host): Promise<string> {
  return host
    .run(
      `
    ip -d link; ip addr; ip route show table all; ip -6 route show table all; ip nexthop; ip neigh show nud permanent
    bridge fdb show | sort
    iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'; nft -s list ruleset
    find /run/flannel /var/lib/flannel 2>/dev/null || true`,
    )
    .then((text) => text.replaceAll(/\[\d+:\d+\]/g, ''))
}

/** What an operator had there before: rules, a foreign VXLAN device with an entry, a route inside the network. */
const FOREIGN = `
  iptables -A FORWARD -s 10.9.0.0/16 -j ACCEPT; iptables -t nat -A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE
  ip6tables -A INPUT -p tcp --dport 9 -j DROP; ip6tables -A FORWARD -s fd00:9::/64 -j ACCEPT
  ip6tables -t nat -A POSTROUTING -s fd00:9::/64 -j MASQUERADE
  nft 'add table inet mine; add chain inet mine c; add rule inet mine c tcp dport 7 counter'
  ip link add vxlan9 type vxlan id 9 dstport 4789 local 192.168.19.121 && ip link set vxlan9 up
  bridge fdb append 0a:00:00:00:00:09 dev vxlan9 dst 192.168.19.9
  ip route add 10.2.77.0/24 via 192.168.19.1 dev enp0s3 proto static`

for (const [what, backend, args, keys] of [
  ['vxlan through nexthops, masquerading', { Type: 'vxlan' }, '-ip-masq -nexthop-objects=always', {}],
  ['host-gw', { Type: 'host-gw' }, '', {}],
  ['vxlan of both families', { Type: 'vxlan' }, '-ip-masq', IPV6],
  ['host-gw of both families, with EnableNFTables', { Type: 'host-gw' }, '-ip-masq', { ...IPV6, EnableNFTables: true }],
] as const) {
  test(`cleanup after ${what}: the host is as before the first start, byte for byte`, async (t) => {
    const lab = await createLab(t)
    const lan = await lab.lan()
    const etcd = await startEtcd(lan)
    await etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.76.0', ...keys, Backend: backend })
    const [host, other] = [await lan.host(121), await lan.host(122)]
    await host.run(FOREIGN)
    await waitFor('addresses to settle', async () => !(await host.run('ip addr')).includes('tentative'))
    const before = await stateOf(host)
    const daemon = await startFlanneld(host, `${ARGS} ${args}`)
    await waitForSubnetEnv(host, daemon)
    const peer = await startFlanneld(other, ARGS)
    const { FLANNEL_SUBNET: subnet = '' } = await waitForSubnetEnv(other, peer)
    const route = subnet.replace('.1/', '.0/')
    await waitFor('the route to the peer', async () => (await host.run(`ip route show ${route}`)) !== '')
    await waitFor('the rules', async () =>
      /FLANNEL-FWD|flannel-ipv4/.test(await host.run('iptables-save; nft list tables')),
    )
    if ('EnableIPv6' in keys)
      await waitFor('the rules of IPv6', async () =>
        /FLANNEL-FWD|flannel-ipv6/.test(await host.run('ip6tables-save; nft list tables')),
      )

    const { code } = await daemon.stop()
    t.is(code, 0)
    t.not(await host.run(`ip route show ${route}`), '', 'stop alone leaves forwarding as it is')

    const foreseen = await host.run(`${BUNDLE} cleanup -dry-run`)
    t.regex(foreseen, new RegExp(`would delete route ${route.replaceAll('.', '\\.')}`))
    t.not(await host.run(`ip route show ${route}`), '', 'a dry run deletes nothing')
    await host.run(`${BUNDLE} cleanup`)
    t.is(await stateOf(host), before)
    t.is(await host.run(`${BUNDLE} cleanup`), '', 'a second cleanup finds nothing')
  })
}
