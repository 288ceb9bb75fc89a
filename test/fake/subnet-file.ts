// A subnet.env as values, and a folder to write it to.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Prefix } from '../../src/ip/prefix.ts'
import type { SubnetEnv } from '../../src/host/subnet-env.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'

export const ENV: SubnetEnv = {
  networks: onlySubnet('10.5.0.0/16' as Prefix),
  subnets: onlySubnet('10.5.72.0/24' as Prefix),
  mtu: 1450,
  ipMasq: false,
}

/** An empty folder, gone at the end of the test. */
export async function folder(t: Pick<ExecutionContext, 'teardown'>): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'subnet-env-'))
  t.teardown(() => rm(made, { recursive: true, force: true }))
  return made
}
