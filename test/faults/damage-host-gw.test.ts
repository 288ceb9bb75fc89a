// Damage done by hand to the routes of a host-gw host.
import { damageTests } from '../lab/scenarios/damage-tests.ts'
import { DAMAGES } from '../lab/scenarios/damage.ts'

damageTests('host-gw', { backend: { Type: 'host-gw' } }, DAMAGES.hostGw)
