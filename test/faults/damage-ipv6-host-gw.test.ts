// Damage done by hand to the IPv6 routes of a host-gw host.
import { IPV6_ALONE } from '../lab/scenarios/cluster.ts'
import { damageTests } from '../lab/scenarios/damage-tests.ts'
import { DAMAGES6 } from '../lab/scenarios/damage6.ts'

damageTests('host-gw, IPv6', { backend: { Type: 'host-gw' }, keys: IPV6_ALONE }, DAMAGES6.hostGw)
