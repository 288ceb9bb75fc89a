// What config this host can run, at the start and later.
import { familiesOf, onlySubnet } from '../../src/ip/by-family.ts'
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { hostGw } from '../../backends/host-gw/index.ts'
import { type Configuration, readConfiguration, refusesChange } from '../../src/network-config/configuration.ts'
import { ENP0S3, address, prefix } from '../fake/values.ts'

const read = (config: object): Configuration => readConfiguration(JSON.stringify(config), BACKENDS)
const running = read({ Network: '10.2.0.0/16' })

test('an unknown backend type is refused with the known ones and the nearest', (t) => {
  const error = t.throws(() => read({ Network: '10.2.0.0/16', Backend: { Type: 'vxlann' } }))
  t.regex(error.message, /Backend\.Type: "vxlann": must be one of vxlan, .*, did you mean vxlan\?/)
})

test('IPv4, IPv6, or both; not neither', (t) => {
  t.regex(
    t.throws(() => read({ EnableIPv4: false, IPv6Network: 'fd00::/48' })).message,
    /EnableIPv4: false: must be true/,
  )
  t.deepEqual(familiesOf(running.ranges), [4])
  t.deepEqual(familiesOf(read({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' }).ranges), [6])
  const both = read({ Network: '10.2.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' })
  t.deepEqual(familiesOf(both.ranges), [4, 6])
})

test('a Network without our subnet, or another SubnetLen, is refused with what to do; the rest is taken', (t) => {
  const ours = onlySubnet(prefix('10.2.21.0/24'))
  t.regex(
    refusesChange(running, read({ Network: '10.3.0.0/16' }), ours) ?? '',
    /10\.3\.0\.0\/16 does not contain.*stop/,
  )
  t.regex(refusesChange(running, read({ Network: '10.2.0.0/16', SubnetLen: 25 }), ours) ?? '', /SubnetLen: 25 differs/)
  t.is(refusesChange(running, read({ Network: '10.0.0.0/8', Backend: { Type: 'host-gw' } }), ours), undefined)
})

test('host-gw is refused where peers cannot route to the public address', (t) => {
  t.is(hostGw.refuses(ENP0S3), undefined)
  t.regex(
    hostGw.refuses({ ...ENP0S3, publicAddress: address('203.0.113.7') }) ?? '',
    /203\.0\.113\.7.*192\.168\.19\.121/,
  )
})
