// alloc: leases a subnet and leaves forwarding to another system (a cloud's route table, a fabric).
import type { Backend } from '../../src/backend.ts'

export const alloc: Backend<null, null> = {
  type: 'alloc',
  configKeys: {},
  parseConfig: () => null,
  refuses: () => undefined,
  mtu: ({ external }) => external.mtu,
  receivesDirectly: () => false,
  leaseData: () => undefined,
  parsePeerData: () => ({ ok: true, value: null }),
  exclusive: () => undefined,
  base: () => [],
  forPeer: () => ({ ok: true, value: [] }),
}
