// Damage done by hand to the routes of a host-gw host.
import { damageTests } from '../lab/damage-tests.ts'
import { DAMAGES } from '../lab/damage.ts'

damageTests('host-gw', { backend: { Type: 'host-gw' } }, DAMAGES.hostGw)
