// Which devices are flannel's: VXLAN devices named by their VNI, ours and Go's. The name alone says nothing: a bridge or a VLAN
// may be called so as well.
import type { KernelObject, VxlanLink } from './state.ts'

/** Whether an object is a VXLAN device called `flannel.` and a number. */
export function isFlannelLink(object: KernelObject): object is VxlanLink {
  return object.kind === 'link' && /^flannel\.\d+$/.test(object.name)
}
