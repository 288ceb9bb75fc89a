// The row of ipsec in the matrix of backends and families.
import type { Row } from './matrix-row.ts'

/** The key of both hosts. */
const PSK = 'f00d'.repeat(24)

export const IPSEC_ROW: Row = {
  type: 'ipsec',
  families: [4],
  options: { PSK },
  // User-Mode Linux has neither the nft tables of the guard nor those of iptables.
  args: '-iptables-forward-rules=false -vxlan-guard=false',
  // ESP needs random numbers, which User-Mode Linux has by these.
  prepare: 'modprobe -a drbg jitterentropy_rng esp4 xfrm_user',
  cells: {
    fresh: 'uml',
    takeover: { why: "Go's flanneld ends its charon, and with it the tunnels; they are made anew" },
    'live change': 'uml',
    restart: 'uml',
    damage: 'uml',
  },
  // The policy for packets to the peer comes with the keys; those for packets from it are strict when the old way is given up.
  change: {
    leads: `ip xfrm policy list dir out | grep -q 'dir out'`,
    over: `! ip xfrm policy | grep -q 'level use'`,
  },
  harms: [
    { fault: 'IPv4 route deleted', script: (_own, peer) => `ip route del ${peer.subnets[4] ?? ''}` },
    { fault: 'policies flushed', script: () => 'ip xfrm policy flush' },
    {
      fault: 'policies led to another host',
      script: (own, peer) =>
        `ip xfrm policy update src ${own.subnets[4] ?? ''} dst ${peer.subnets[4] ?? ''} dir out tmpl src ${own.host.address} dst 192.168.19.99 proto esp reqid 11 mode tunnel`,
    },
    { fault: 'charon killed', script: () => 'kill -9 $(cat /run/flannel/charon/pid)' },
    { fault: 'associations flushed', script: () => 'ip xfrm state flush' },
  ],
}
