// Whether the kernel forwards packets in each family, and what becomes of its default route when it does.
import { type Family, familyOf } from '../../ip/address.ts'
import { FAMILIES, familiesOf } from '../../ip/by-family.ts'
import { contains, lengthOf, prefixFamily } from '../../ip/prefix.ts'
import type { ExternalInterface } from '../../backend.ts'
import type { HostFacts } from '../facts.ts'
import { type Fault, type OwnCheck, type OwnFacts, outcomeOf } from '../finding.ts'
import { valueIn } from '../known.ts'

type Sysctls = HostFacts['sysctls']

export const forwardCheck: OwnCheck = {
  name: 'ip-forward',
  about: 'the kernel forwards packets',
  ofPeer: false,
  run(facts) {
    const checked = familiesIn(facts)
    const faults = checked.flatMap((family) => FAULTS[family](facts))
    return outcomeOf(faults, checked.map((family) => `${SWITCH[family].replaceAll('/', '.')} = 1`).join(', '))
  },
}

/** Those of the network config; the first one where that is not known. */
function familiesIn({ plan }: OwnFacts): readonly Family[] {
  return 'value' in plan ? familiesOf(plan.value.configuration.ranges) : FAMILIES.slice(0, 1)
}

/** The value that switches forwarding on and off for the whole host. */
const SWITCH: Readonly<Record<Family, string>> = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' }

const FAULTS: Readonly<Record<Family, (facts: OwnFacts) => readonly Fault[]>> = {
  4: ({ host }) => [...offFaults(host.sysctls, 4), ...deviceFaults(host.sysctls)],
  // Of IPv6 the value of a device decides on router advertisements, not on forwarding (ip-sysctl.rst).
  6: (facts) => {
    const { sysctls } = facts.host
    return [...offFaults(sysctls, 6), ...disabledFaults(sysctls), ...advertisementFaults(facts)]
  },
}

function set(name: string, value = 1): string {
  return `sysctl -w ${name}=${value}, and the same line in /etc/sysctl.d/`
}

function nameOf(path: string): string {
  return path.split('/').join('.')
}

/** The name of a device's value: a dot in the name of a device is a slash there (sysctl(8)). */
function deviceValue(protocol: string, device: string, value: string): string {
  return `net.${protocol}.conf.${device.replaceAll('.', '/')}.${value}`
}

function offFaults(sysctls: Sysctls, family: Family): readonly Fault[] {
  const name = nameOf(SWITCH[family])
  if (sysctls.get(SWITCH[family]) !== '0') return []
  const what = family === FAMILIES[0] ? 'packets' : `IPv${family} packets`
  const cause = `the kernel does not forward ${what}: containers cannot reach other hosts`
  return [{ level: 'fault', stops: true, cause, fix: set(name), proof: `${name} = 0` }]
}

function deviceFaults(sysctls: Sysctls): readonly Fault[] {
  if (sysctls.get(SWITCH[4]) === '0') return []
  return devicesWith(sysctls, /^net\/ipv4\/conf\/(.+)\/forwarding$/, '0').map((device): Fault => {
    const cause = `the kernel does not forward what arrives on ${device}`
    const name = deviceValue('ipv4', device, 'forwarding')
    return { level: 'fault', stops: true, cause, fix: set(name), proof: `${name} = 0` }
  })
}

/** Devices, but for `all`, whose value is this. */
function devicesWith(sysctls: Sysctls, path: RegExp, value: string): readonly string[] {
  return [...sysctls].flatMap(([name, found]) => {
    const device = path.exec(name)?.[1]
    return device === undefined || device === 'all' || found !== value ? [] : [device]
  })
}

/** docker0 has IPv6 only where dockerd is told so: that is the docker0 check's. */
function disabledFaults(sysctls: Sysctls): readonly Fault[] {
  const disabled = devicesWith(sysctls, /^net\/ipv6\/conf\/(.+)\/disable_ipv6$/, '1')
  return disabled
    .filter((device) => device !== 'docker0')
    .map((device): Fault => {
      const cause = `IPv6 is disabled on ${device}: it has no IPv6 address, and no IPv6 packet leaves by it`
      const name = deviceValue('ipv6', device, 'disable_ipv6')
      return { level: 'fault', stops: true, cause, fix: set(name, 0), proof: `${name} = 1` }
    })
}

/**
 * A host that forwards is a router, and a router believes no other one's advertisements, unless accept_ra is 2: the default route it
 * had from them goes at once, and addresses when their time is over. dockerd with --ipv6 switches forwarding on.
 */
function advertisementFaults({ host, plan }: OwnFacts): readonly Fault[] {
  const external = valueIn(host.externals[6])
  if (external === undefined) return []
  const value = (name: string): string | undefined => host.sysctls.get(`net/ipv6/conf/${external.name}/${name}`)
  if (value('forwarding') !== '1' || value('accept_ra') !== '1') return []
  const defaults = host.network.routes.filter(
    ({ destination, index }) =>
      prefixFamily(destination) === external.family && lengthOf(destination) === 0 && index === external.index,
  )
  const announced = defaults.some((route) => route.announced === true)
  const had = host.network.addresses.some(
    ({ index, dynamic, scope, address }) =>
      index === external.index && dynamic === true && scope === 'global' && familyOf(address) === external.family,
  )
  if (!announced && !(defaults.length === 0 && had)) return []
  const far = peersBeyond(external, plan)
  const name = deviceValue('ipv6', external.name, 'accept_ra')
  const lost = announced
    ? 'the default route from them goes when its time is over'
    : 'the default route from them is gone'
  return [
    {
      level: far ? 'fault' : 'warning',
      ...(far ? { stops: true as const } : {}),
      cause: `this host forwards IPv6, so it ignores router advertisements on ${external.name}: ${lost}${far ? ', and peers beyond the link with it' : ''}`,
      fix: set(name, 2),
      proof: `${name} = 1, forwarding = 1; ${announced ? 'the default route is proto ra' : 'there is no default route, but an address with a lifetime'}`,
    },
  ]
}

/** Whether a peer is reached by way of a router. */
function peersBeyond(external: ExternalInterface, plan: OwnFacts['plan']): boolean {
  const peers = 'value' in plan ? [...plan.value.peers.values()] : []
  return peers.some(
    ({ subnet, publicAddress }) =>
      prefixFamily(subnet) === external.family && !external.onlink.some((prefix) => contains(prefix, publicAddress)),
  )
}
