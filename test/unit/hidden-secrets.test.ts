// What of a network config may be printed.
import test from 'ava'
import { secretsIn, withoutSecrets } from '../../src/network-config/hidden-secrets.ts'

const TEXT = '{"Network":"10.2.0.0/16","Backend":{"Type":"ipsec","psk" : "f00d\\"f00d","UDPEncap":true}}'

test('a pre-shared key is hidden, whatever the case of its key, and nothing else', (t) => {
  t.is(withoutSecrets(TEXT), TEXT.replace('f00d\\"f00d', '(hidden)'))
  t.deepEqual(secretsIn(TEXT), ['f00d\\"f00d'])
  t.is(withoutSecrets('{"Backend":{"Type":"vxlan"}}'), '{"Backend":{"Type":"vxlan"}}')
})

test('it is hidden in a text that is no valid JSON', (t) => {
  t.is(withoutSecrets('{"PSK":"secret",,'), '{"PSK":"(hidden)",,')
  t.is(withoutSecrets('{"PSK":"secr'), '{"PSK":"(hidden)')
})
