// What the verbs for Docker read: the lease, as the daemon left it in subnet.env.
// Invariant: all of it or an error; Docker given half of it comes up on a bridge that no other host reaches.
import { OperatorError } from '../errors.ts'
import type { Prefix } from '../ip/prefix.ts'
import { readSubnetEnv, subnetIn } from '../host/subnet-env.ts'

/** Where the daemon writes it by default. */
export const SUBNET_FILE = '/run/flannel/subnet.env'

/** What Docker has to know. */
export interface LeasedSubnet {
  readonly subnet: Prefix
  readonly mtu: number
  /** Whether flanneld masquerades, so that Docker need not. */
  readonly ipMasq: boolean
}

/** Reads a complete lease. Throws OperatorError that says what is missing. */
export async function readLeasedSubnet(path: string): Promise<LeasedSubnet> {
  const env = await readSubnetEnv(path)
  if (env === undefined) throw new OperatorError(`subnet file: ${path}: not there: is flanneld running and ready?`)
  const { mtu, ipMasq } = env
  const subnet = subnetIn(env)
  if (subnet === undefined) throw partial(path, 'FLANNEL_SUBNET')
  if (mtu === undefined) throw partial(path, 'FLANNEL_MTU')
  if (ipMasq === undefined) throw partial(path, 'FLANNEL_IPMASQ')
  return { subnet, mtu, ipMasq }
}

function partial(path: string, name: string): OperatorError {
  return new OperatorError(`subnet file: ${path}: ${name} is missing or malformed: has flanneld written this file?`)
}
