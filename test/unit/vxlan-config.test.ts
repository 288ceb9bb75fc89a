// Configs of vxlan that no kernel would run are refused by their numbers; whatever is accepted, a kernel takes.
import { isVxlan } from '../../src/kernel/state.ts'
import test from 'ava'
import fc from 'fast-check'
import { vxlan } from '../../backends/vxlan/index.ts'
import { BACKENDS } from '../../backends/index.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { ConfigError } from '../../src/errors.ts'
import { ENP0S3, selfWith } from '../fake/values.ts'

const external = ENP0S3

function read(backend: object): ReturnType<typeof readConfiguration> {
  return readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', ...backend } }), BACKENDS)
}

for (const [backend, rule] of [
  [{ VNI: 0 }, 'Backend.VNI: 0: must be an integer from 1 to 9999999'],
  [{ VNI: 10_000_000 }, 'Backend.VNI: 10000000: must be an integer from 1 to 9999999'],
  [{ VNI: 16_777_216 }, 'Backend.VNI: 16777216: must be an integer from 1 to 9999999'],
  [{ MTU: 1 }, 'Backend.MTU: 1: must be an integer from 118 to 65535'],
  [{ MTU: 67 }, 'Backend.MTU: 67: must be an integer from 118 to 65535'],
  [{ MTU: 117 }, 'Backend.MTU: 117: must be an integer from 118 to 65535'],
  [{ MTU: -1 }, 'Backend.MTU: -1: must be an integer from 0 to 65535'],
  [{ MTU: 65_536 }, 'Backend.MTU: 65536: must be an integer from 0 to 65535'],
  [{ Port: -1 }, 'Backend.Port: -1: must be an integer from 0 to 65535'],
  [{ Port: 65_536 }, 'Backend.Port: 65536: must be an integer from 0 to 65535'],
] as const) {
  test(`refused: ${JSON.stringify(backend)}`, (t) => {
    t.throws(() => read(backend), { instanceOf: ConfigError, message: `network config: ${rule}` })
  })
}

test('an interface too small for the tunnel is refused, with both numbers', (t) => {
  t.is(vxlan.refuses({ ...external, mtu: 117 }), `the MTU of ${external.name} is 117: vxlan needs 118 at least`)
  t.is(vxlan.refuses({ ...external, mtu: 118 }), undefined)
})

test('every accepted config makes a device the kernel takes: its name, its MTU, its port', (t) => {
  const numbers = {
    VNI: fc.integer({ min: -1, max: 2 ** 24 }),
    MTU: fc.integer({ min: -1, max: 70_000 }),
    Port: fc.integer({ min: -1, max: 70_000 }),
  }
  let accepted = 0
  fc.assert(
    fc.property(fc.record(numbers, { requiredKeys: [] }), fc.integer({ min: 118, max: 65_535 }), (backend, mtu) => {
      let own
      try {
        own = read(backend).own
      } catch (error) {
        return error instanceof ConfigError
      }
      accepted++
      const objects = own.backend.base({ ...selfWith(undefined), external: { ...external, mtu }, config: own.config })
      const link = objects.find(isVxlan)
      if (link === undefined) return false
      const whole = Buffer.byteLength(link.name) <= 15 && link.vni > 0 && link.vni < 2 ** 24
      return whole && link.mtu >= 68 && link.mtu <= 65_535 && link.port > 0 && link.port < 65_536
    }),
    { numRuns: 2000 },
  )
  t.true(accepted > 100)
})
