// Docker's own bridge, held against what is leased.
import { bridgeFault } from '../host/docker-bridge.ts'
import type { FoundSubnetEnv } from '../host/subnet-env.ts'
import { withKernel } from '../kernel/once.ts'

/** What is wrong with docker0, by subnet.env. */
export async function dockerBridge(found: FoundSubnetEnv | undefined): Promise<string | undefined> {
  if (found === undefined) return undefined
  return withKernel(async (kernel) => bridgeFault(await kernel.readHost(), found)?.text)
}
