// What the rows of the matrix of backends share: harms that any backend can suffer, and how hosts' subnets are named in a shell.
import type { Family } from '../../../src/ip/address.ts'
import type { MatrixHost } from './matrix-host.ts'
import type { Harm, Kernel, Row } from './matrix-row.ts'

export function everywhere(kernel: Kernel): Row['cells'] {
  return { fresh: kernel, takeover: kernel, 'live change': kernel, restart: kernel, damage: kernel }
}

export const GO_HAS_NO_IPV6_ALONE = { why: "Go's flanneld does not run with IPv6 alone on etcd" } as const

/** What a host's routes suffer, whatever made them. */
export function routeHarms(families: readonly Family[]): readonly Harm[] {
  return families.map((family) => ({
    fault: `IPv${family} route deleted`,
    script: (_own, peer) => `ip -${family} route del ${subnetOf(peer, family)}`,
  }))
}

/** What a device of ours suffers. */
export function deviceHarms(device: string): readonly Harm[] {
  return [
    { fault: `${device} deleted`, script: () => `ip link del ${device}` },
    { fault: `${device} down`, script: () => `ip link set ${device} down` },
    { fault: `MTU of ${device} changed`, script: () => `ip link set ${device} mtu 1300` },
    { fault: `addresses of ${device} flushed`, script: () => `ip addr flush dev ${device}` },
  ]
}

export function subnetOf({ subnets }: Pick<MatrixHost, 'subnets'>, family: Family): string {
  const subnet = subnets[family]
  if (subnet === undefined) throw new Error(`no IPv${family} subnet`)
  return subnet
}

/** "10.2.21.0" of "10.2.21.0/24". */
export function baseOf(host: Pick<MatrixHost, 'subnets'>, family: Family): string {
  return subnetOf(host, family).replace(/\/.*/, '')
}

export const PLAIN = { options: {}, args: '', prepare: '' }
