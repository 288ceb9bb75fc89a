// What differs where peers' routes lead through nexthop objects.
import { damageTests } from '../lab/scenarios/damage-tests.ts'
import { DAMAGES } from '../lab/scenarios/damage.ts'

damageTests('vxlan, nexthop objects', { args: '-nexthop-objects=always' }, DAMAGES.nexthops)
