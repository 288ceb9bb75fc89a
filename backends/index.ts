// The list of backends: one line each. The contract suite and the daemon take them from here.
import type { AnyBackend } from '../src/backend.ts'
import { alloc } from './alloc/index.ts'
import { auto } from './auto/index.ts'
import { extension } from './extension/index.ts'
import { hostGw } from './host-gw/index.ts'
import { ipip } from './ipip/index.ts'
import { ipsec } from './ipsec/index.ts'
import { udp } from './udp/index.ts'
import { vxlan } from './vxlan/index.ts'
import { wireguard } from './wireguard/index.ts'

export const BACKENDS: readonly AnyBackend[] = [vxlan, hostGw, wireguard, ipip, ipsec, udp, auto, extension, alloc]
