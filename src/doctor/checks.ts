// All of doctor's checks, in the order of the report. To add one: write it, add it here, describe it in
// docs/troubleshooting.md (a test compares), and make its fault for real in test/netns/doctor-*.test.ts.
import { dockerCheck, overlapCheck } from './checks/address.ts'
import { associationsCheck } from './checks/associations.ts'
import { configCheck, daemonCheck, subnetEnvCheck } from './checks/daemon.ts'
import { clockCheck, etcdCheck, tlsCheck, watchCheck } from './checks/etcd.ts'
import { firewallCheck, guardCheck } from './checks/firewall.ts'
import { forwardCheck } from './checks/forwarding.ts'
import { bridgeNetfilterCheck, modulesCheck, requirementsCheck, reversePathCheck } from './checks/host.ts'
import { KERNEL_CHECKS } from './checks/kernel.ts'
import { duplicateAddressCheck, leaseCheck, peerLeasesCheck } from './checks/lease.ts'
import { mtuCheck } from './checks/mtu.ts'
import { checksumCheck, pathMtuCheck, peersCheck, portCheck } from './checks/path.ts'
import { helpersCheck, keyFileCheck } from './checks/outside.ts'
import type { Check } from './finding.ts'

export const CHECKS: readonly Check[] = [
  daemonCheck,
  configCheck,
  etcdCheck,
  tlsCheck,
  watchCheck,
  clockCheck,
  leaseCheck,
  peerLeasesCheck,
  duplicateAddressCheck,
  subnetEnvCheck,
  mtuCheck,
  modulesCheck,
  requirementsCheck,
  keyFileCheck,
  helpersCheck,
  forwardCheck,
  reversePathCheck,
  bridgeNetfilterCheck,
  ...KERNEL_CHECKS,
  associationsCheck,
  overlapCheck,
  dockerCheck,
  firewallCheck,
  guardCheck,
  peersCheck,
  portCheck,
  pathMtuCheck,
  checksumCheck,
]
