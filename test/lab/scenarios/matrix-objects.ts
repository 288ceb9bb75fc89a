// What flanneld keeps in a host's kernel, of every kind and in every family, in the words of iproute2 and wg.
import type { Place } from '../world/space.ts'

/** Devices, addresses, neighbours, forwarding entries, nexthops, routes, policies and WireGuard peers. */
const READ = `
  ip -o -d link show; ip -o addr; ip nexthop
  ip -4 route show table all; ip -6 route show table all
  ip neigh show nud permanent; ip -6 neigh show nud permanent
  for device in $(ip -br link show type vxlan | cut -d ' ' -f 1); do
    bridge fdb show dev $device | sed "s/^/fdb $device /"; done
  ip -o xfrm policy 2>/dev/null | sed 's/^/flannel policy /'
  if command -v wg >/dev/null; then
    for device in $(wg show interfaces); do
      wg show $device allowed-ips | sed "s/^/flannel peer /"
      wg show $device endpoints | sed "s/^/flannel endpoint /"; done; fi`

/** The lines about what is ours, sorted. The same state gives the same text. */
export async function ourObjects(host: Place): Promise<string> {
  const printed = await host.run(`${READ}; true`)
  return printed
    .split('\n')
    .map((line) =>
      line
        .replace(/^\d+: /, '')
        .replaceAll(/\s+/g, ' ')
        .replace(/ state (UP|DOWN|UNKNOWN) /, ' ')
        .replaceAll(/ tso_max_\w+ \d+| expires \d+sec| (pref medium|linkdown)/g, '')
        .replace(/<NO-CARRIER,|,LOWER_UP\b/g, (flag) => (flag.startsWith('<') ? '<' : ''))
        .trim(),
    )
    .filter(
      (line) => /flannel|proto 142|^blackhole /.test(line) && !/fe80:|^(local|multicast|anycast|broadcast) /.test(line),
    )
    .toSorted()
    .join('\n')
}
