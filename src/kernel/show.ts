// An object in iproute2's words, for log lines: what `ip` or `bridge` would print of it, or take to make it.
import { printable } from '../text/plain-text.ts'
import { showEndpoint } from './wireguard/uapi.ts'
import type { KernelObject, Link, RouteTarget, WireguardPeer } from './state.ts'

/** An object on one line, such as `10.2.3.0/24 via 10.2.3.0 dev flannel.1 proto 142 onlink`. */
export function showObject(object: KernelObject): string {
  // Names of devices may hold anything but a slash and white space.
  return printable(worded(object))
}

function worded(object: KernelObject): string {
  switch (object.kind) {
    case 'link': {
      const { name, mtu, up } = object
      return `${name} mtu ${mtu} state ${up ? 'UP' : 'DOWN'} ${linkWords(object)}`
    }
    case 'address':
      return `${object.address}/${object.length} dev ${object.device}`
    case 'wireguard-peer':
      return `${object.device} peer ${object.publicKey}${peerWords(object)}`
    case 'fdb':
      return `${object.mac} dev ${object.device} dst ${object.destination} self permanent`
    case 'neighbor':
      return `${object.address} dev ${object.device} lladdr ${object.mac} PERMANENT`
    case 'nexthop':
      return `id ${object.id} via ${object.gateway} dev ${object.device} proto ${protocol(object.protocol)} onlink`
    case 'policy': {
      const { direction, source, destination, from, to, reqid, optional } = object
      const template = `tmpl src ${from} dst ${to} proto esp reqid ${reqid} mode tunnel${optional ? ' level use' : ''}`
      return `src ${source} dst ${destination} dir ${direction} ${template}`
    }
    case 'route': {
      const metric = object.metric === 0 ? '' : ` metric ${object.metric}`
      const [before, after] = wordsOf(object.target)
      const destination = object.destination.replace(/^(0\.0\.0\.0|::)\/0$/, 'default')
      return `${before}${destination}${after} proto ${protocol(object.protocol)}${metric}${onlink(object.target)}`
    }
  }
}

function linkWords(link: Link): string {
  switch (link.type) {
    case 'vxlan': {
      const { mac, vni, local, underlay, port, learning, gbp } = link
      const words = `link/ether ${mac} vxlan id ${vni} local ${local} dev ${underlay} dstport ${port}`
      return `${words}${learning ? '' : ' nolearning'}${gbp ? ' gbp' : ''}`
    }
    case 'ipip':
      return `ipip remote any local ${link.local}`
    case 'wireguard':
      return `wireguard listen-port ${link.port} public-key ${link.publicKey}`
    case 'tun':
      return 'tun'
  }
}

/** What wg(8) takes of a peer, without its secret. */
function peerWords({ endpoint, allowed, presharedKey, keepalive }: WireguardPeer): string {
  const where = endpoint === undefined ? '' : ` endpoint ${showEndpoint(endpoint)}`
  const secret = presharedKey === undefined ? '' : ' preshared-key (hidden)'
  const pace = keepalive === 0 ? '' : ` persistent-keepalive ${keepalive}`
  return `${where} allowed-ips ${allowed.join()}${secret}${pace}`
}

/** What names an object among those of its kind, for lists: "route 10.2.3.0/24", "neighbor 10.2.3.0". */
export function brief(object: KernelObject): string {
  switch (object.kind) {
    case 'link':
      return `link ${object.name}`
    case 'address':
    case 'neighbor':
      return `${object.kind} ${object.address}`
    case 'wireguard-peer':
      return `wireguard-peer ${object.publicKey}`
    case 'fdb':
      return `fdb ${object.mac}`
    case 'nexthop':
      return `nexthop ${object.gateway}`
    case 'policy':
      return `policy ${object.direction} ${object.direction === 'out' ? object.destination : object.source}`
    case 'route':
      return `route ${object.destination}`
  }
}

/** Words before and after the destination. */
function wordsOf(target: RouteTarget): readonly [string, string] {
  switch (target.type) {
    case 'gateway':
      return ['', ` via ${target.gateway} dev ${target.device}`]
    case 'device':
      return ['', ` dev ${target.device}`]
    case 'nexthop':
      return ['', ` nhid ${target.id}`]
    case 'blackhole':
      return ['blackhole ', '']
    case 'other':
      return [`${target.text} `, '']
  }
}

function onlink(target: RouteTarget): string {
  return target.type === 'gateway' && target.onlink ? ' onlink' : ''
}

/** iproute2's names of the numbers that are common (rt_protos). */
function protocol(number: number): string {
  return { 2: 'kernel', 3: 'boot', 4: 'static', 9: 'ra', 16: 'dhcp', 186: 'bgp', 188: 'ospf' }[number] ?? String(number)
}
