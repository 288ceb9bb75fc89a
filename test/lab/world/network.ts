// The network that the lab's daemons share: where it stands in etcd, and what daemons are started with to find it.

/** The network's key in etcd, as in the tutorial. */
export const PREFIX = '/docker-test/network'

/** The arguments of a daemon whose etcd is on host .120. */
export const ARGS = `-etcd-endpoints=http://192.168.19.120:2379 -iface=enp0s3 -etcd-prefix=${PREFIX}`

/** Leaves the lower half of the network to peers that exist in etcd alone (putPeer): daemons lease from the upper half. */
export const CONFIG = { Network: '10.2.0.0/16', SubnetLen: 24, SubnetMin: '10.2.128.0', Backend: { Type: 'vxlan' } }

/** The arguments of a daemon that reaches etcd at these members, with its health port open. */
export function argsFor(...members: readonly { readonly url: string }[]): string {
  return `-etcd-endpoints=${members.map((member) => member.url).join(',')} -iface=enp0s3 -etcd-prefix=${PREFIX} -healthz-port=9000`
}
