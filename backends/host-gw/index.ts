// host-gw: every host routes a peer's subnet straight to that peer, which must be on the same LAN. The minimal backend.
import type { Backend } from '../../src/backend.ts'
import { contains } from '../../src/ip/prefix.ts'
import { peerRoute } from '../peer-route.ts'

export const hostGw: Backend<null, null> = {
  type: 'host-gw',
  configKeys: {},
  parseConfig: () => null,
  refuses: (external) =>
    external.publicAddress === external.address
      ? undefined
      : `host-gw: public address ${external.publicAddress}: differs from ${external.address} on ${external.name}; peers could not route to it`,
  mtu: ({ external }) => external.mtu,
  receivesDirectly: () => true,
  leaseData: () => undefined,
  parsePeerData: () => ({ ok: true, value: null }),
  exclusive: () => undefined,
  base: () => [],
  forPeer: ({ external, nexthops }, { subnet, publicAddress }) =>
    external.onlink.some((prefix) => contains(prefix, publicAddress))
      ? {
          ok: true,
          value: peerRoute({ subnet, gateway: publicAddress, device: external.name, onlink: false, nexthops }),
        }
      : { ok: false, reason: 'not-onlink', detail: `${publicAddress} is not on the LAN of ${external.name}` },
}
