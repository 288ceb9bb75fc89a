// Damage done by hand to what a vxlan host has in its kernel, found by notification: whole within a second.
import { damageTests } from '../lab/damage-tests.ts'
import { DAMAGES } from '../lab/damage.ts'

damageTests('vxlan', { args: '-nexthop-objects=never' }, DAMAGES.vxlan)
