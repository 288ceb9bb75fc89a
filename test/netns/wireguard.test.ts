// Backend wireguard with wireguard-go, from end to end.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'

test('containers of two hosts reach each other, and the LAN sees nothing of it', async (t) => {
  const { nodes } = await createCluster(t, {
    backend: { Type: 'wireguard' },
    args: '-wireguard-go=/usr/bin/wireguard-go',
  })
  for (const { host, daemon } of nodes) {
    t.log(await host.run('wg show; ip -d link show flannel-wg; ip route; ip addr show flannel-wg; ls -l /run/flannel'))
    t.log(daemon.output())
  }
})
