// What a host's kernel holds, in the words of ip, bridge and nft, parted into what flanneld keeps and what is not its own.
// Invariant: the same state gives the same text: no indexes, ages, counters, nor an order that means nothing, nor the
// operational state of links, which follows their flags late.
import type { Place } from '../world/space.ts'

/** Lines of both kinds, sorted. */
export interface KernelText {
  readonly ours: string
  readonly foreign: string
}

/** In one shell: a reading has to be quick, because its time is part of what is measured. */
export const READ_KERNEL = `
  ip -o -d link show type vxlan; ip -o link; ip -o -4 addr; ip nexthop; ip -4 route show table all
  ip -o -6 addr show to fd00:10::/32; ip -6 route show table all root fd00:10::/32
  ip neigh show nud permanent | sed 's/^/neighbor /'
  for device in $(ip -br link show type vxlan | cut -d ' ' -f 1); do
    bridge fdb show dev $device | sed "s/^/fdb $device /"; done`

/** Rules of iptables, and every other table of nft on one line; counters left out, and policies, which cannot be absent. */
export const READ_RULES = `
  { iptables -S; iptables -t nat -S; iptables -t raw -S; ip6tables -S; ip6tables -t nat -S; } | grep -v '^-P .* ACCEPT$'
  nft list tables | grep -vE ' ip6? (filter|nat|raw|mangle)$' | while read -r table; do
    echo $(nft -s list $table) | sed -E 's/(set strangers[46] [{][^{}]*)elements = [{][^{}]*[}]/\\1/g'; done`

/** Devices, addresses, neighbours, forwarding entries, nexthops and routes of a host. */
export async function kernelText(host: Place, wanted = READ_KERNEL): Promise<KernelText> {
  return partKernelText(await host.run(wanted))
}

/** Parts what READ_KERNEL or READ_RULES printed. */
export function partKernelText(printed: string): KernelText {
  const lines = printed
    .split('\n')
    .map((line) =>
      line
        .replace(/^\d+: /, '')
        .replaceAll(/\s+/g, ' ')
        .replace(/ state (UP|DOWN|UNKNOWN) /, ' ')
        // What the underlay could do at the moment a device was made.
        .replaceAll(/ tso_max_\w+ \d+/g, '')
        .replace(/<NO-CARRIER,|,LOWER_UP\b/g, (flag) => (flag.startsWith('<') ? '<' : ''))
        .trim(),
    )
    .filter((line) => line !== '')
    .toSorted()
  const isOurs = (line: string): boolean =>
    /flannel|FLANNEL|proto 142|^(blackhole )?(10\.2\.\d+\.0\/24|fd00:10:2:\w+::\/64) (?!dev docker0)/.test(line)
  return {
    ours: lines.filter(isOurs).join('\n'),
    foreign: lines.filter((line) => !isOurs(line)).join('\n'),
  }
}
