// A network of IPv6 alone, on hosts that have nothing else, etcd among them.
import test from 'ava'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { errors, warnings } from '../lab/instruments/log-lines.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { createContainer } from '../lab/world/container.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createLab } from '../lab/world/lab.ts'
import { PREFIX } from '../lab/world/network.ts'

const CONFIG = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:10:2::/48', Backend: { Type: 'vxlan' } }

for (const backend of [{ Type: 'vxlan' }, { Type: 'vxlan', DirectRouting: true }, { Type: 'host-gw' }])
  test(`IPv6 alone: a lease, a device and containers that reach each other (${JSON.stringify(backend)})`, async (t) => {
    const lan = await (await createLab(t)).lan()
    const etcd = await startEtcd(lan, { config: { ...CONFIG, Backend: backend } })
    const join = async (last: number) => {
      const host = await lan.host(last)
      // An aggregate on the LAN leads to the addresses of the overlay as well, by another device.
      await host.run(`ip -4 addr flush dev enp0s3; sysctl -q -w net.ipv4.ip_forward=0
        ip -6 route add fd00:10::/32 via fd00:19::1 dev enp0s3`)
      const daemon = await startFlanneld(host, `-etcd-endpoints=${etcd.url6} -iface=enp0s3 -etcd-prefix=${PREFIX}`)
      const env = await waitForSubnetEnv(host, daemon)
      return { host, daemon, env, container: await createContainer(host, env) }
    }
    const [a, b] = await Promise.all([join(121), join(122)])
    t.deepEqual(Object.keys(a.env), ['FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET', 'FLANNEL_MTU', 'FLANNEL_IPMASQ'])
    const subnet6 = a.env['FLANNEL_IPV6_SUBNET']?.replace('1/64', '-64') ?? ''
    t.true((await etcd.leases()).includes(subnet6))
    const value = JSON.parse(await etcd.etcdctl(`get --print-value-only '${PREFIX}/subnets/${subnet6}'`)) as object
    t.like(value, { PublicIPv6: 'fd00:19::79', BackendType: backend.Type })
    t.false('PublicIP' in value)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      await waitFor(`${from.host.name} to ${to.container.address6}`, async () =>
        (await from.container.run(`ping -c 1 -W 1 ${to.container.address6} || true`)).includes(' 0% packet loss'),
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${a.daemon.output()}\n${b.daemon.output()}`)
      })
    await a.daemon.line(/ready: /)
    t.deepEqual([...errors(a.daemon), ...warnings(a.daemon)], [])
    t.is(await a.host.run('ip -4 route; ip -4 addr show dev flannel.1 2>/dev/null || true'), '')
  })
