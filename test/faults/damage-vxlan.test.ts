// Damage done by hand to what a vxlan host has in its kernel, found by notification: nothing else would find it, as audits
// are ten minutes apart here.
import { damageTests } from '../lab/scenarios/damage-tests.ts'
import { DAMAGES } from '../lab/scenarios/damage.ts'

damageTests('vxlan', { args: '-nexthop-objects=never' }, DAMAGES.vxlan, [
  'iptables -F',
  'iptables -t nat -F',
  'nft flush ruleset',
])
