// What the verbs for Docker read: the lease, as the daemon left it in subnet.env.
// Invariant: all of it or an error; Docker given half of it comes up on a bridge that no other host reaches.
import { OperatorError } from '../errors.ts'
import { FAMILIES, type SomeFamily, inFamily, some } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import { ENV_NAMES, readSubnetEnv } from '../host/subnet-env.ts'

/** Where the daemon writes it by default. */
export const SUBNET_FILE = '/run/flannel/subnet.env'

/** What Docker has to know. */
export interface LeasedSubnet {
  /** One in each family of the network. */
  readonly subnets: SomeFamily<Prefix>
  readonly mtu: number
  /** Whether flanneld masquerades, so that Docker need not. */
  readonly ipMasq: boolean
}

/** Reads a complete lease. Throws OperatorError that says what is missing. */
export async function readLeasedSubnet(path: string): Promise<LeasedSubnet> {
  const env = await readSubnetEnv(path)
  if (env === undefined) throw new OperatorError(`subnet file: ${path}: not there: is flanneld running and ready?`)
  const { mtu, ipMasq } = env
  // Every network that is named has a subnet of this host.
  const half = FAMILIES.find((family) => inFamily(env.networks, family) && !inFamily(env.subnets, family))
  const subnets = some(env.subnets)
  if (half !== undefined || subnets === undefined) throw partial(path, ENV_NAMES[half ?? FAMILIES[0]].subnet)
  if (mtu === undefined) throw partial(path, 'FLANNEL_MTU')
  if (ipMasq === undefined) throw partial(path, 'FLANNEL_IPMASQ')
  return { subnets, mtu, ipMasq }
}

/**
 * Whether Docker has to masquerade: where flanneld does, two would hide a container's address from its peers. What Docker
 * numbers itself in IPv4, because no IPv4 subnet is leased, flanneld does not know.
 */
export function dockerMasquerades({ subnets, ipMasq }: LeasedSubnet): boolean {
  return !ipMasq || inFamily(subnets, FAMILIES[0]) === undefined
}

function partial(path: string, name: string): OperatorError {
  return new OperatorError(`subnet file: ${path}: ${name} is missing or malformed: has flanneld written this file?`)
}
