// Docker's own bridge, held against what is leased.
import { staleBridge } from '../host/docker-bridge.ts'
import { type FoundSubnetEnv, networkIn, subnetIn } from '../host/subnet-env.ts'
import { withKernel } from '../kernel/once.ts'

/** What is wrong with docker0, by subnet.env. */
export async function dockerBridge(found: FoundSubnetEnv | undefined): Promise<string | undefined> {
  const [network, subnet, mtu] = [networkIn(found), subnetIn(found), found?.mtu]
  if (network === undefined || subnet === undefined || mtu === undefined) return undefined
  return withKernel(async (kernel) => staleBridge(await kernel.readHost(), { subnet, mtu }, [network])?.text)
}
