// Damage done by hand to what a host has in its kernel for IPv6, found by notification.
import { IPV6_ALONE } from '../lab/scenarios/cluster.ts'
import { damageTests } from '../lab/scenarios/damage-tests.ts'
import { DAMAGES6 } from '../lab/scenarios/damage6.ts'

damageTests('vxlan, IPv6', { keys: IPV6_ALONE }, DAMAGES6.vxlan, [
  'ip6tables -F',
  'ip6tables -t nat -F',
  'nft flush ruleset',
])
