// A status in lines for people: labelled facts, verdict first, relative times. Pure.
import type { HelperStatus } from '../helpers/slot.ts'
import type { DeviceStatus, FirewallState, GuardState, HostFamily, NetworkStatus, Status } from './status-shape.ts'
import { span } from '../text/duration.ts'
import { counted } from '../text/counted.ts'
import { type Verdict } from './verdict.ts'

/** A labelled line. */
export interface Fact {
  readonly label: string
  readonly text: string
}

/** The column where the right half of a line starts, counted from the text. */
const HALF = 52

/** The first line: the state in a word, in some words more, whose, since when. */
export function headline({ word, summary }: Verdict, { host, address, since }: Status, now: number): string {
  const where = address === null ? host : `${host} ${address}`
  return `● ${word}   ${summary} · ${where} · up ${span((now - since) / 1000)}`
}

/** One line for each reason, then for each remark, the command last. */
export function reasonLines({ reasons, remarks }: Verdict): readonly string[] {
  const line = (sign: string, { text, run }: { readonly text: string; readonly run: string | null }): string =>
    `${sign} ${text}${run === null ? '' : `${/[.?!]$/.test(text) ? '' : '.'} Run: ${run}`}`
  return [...reasons.map((it) => line('→', it)), ...remarks.map((it) => line(`${it.level}:`, it))]
}

/** What there is to say about a host; `now` in milliseconds since 1970. */
export function factsOf(status: Status, now: number): readonly Fact[] {
  const facts = [
    { label: 'subnet', text: subnet(status, now) },
    ...status.families.slice(1).map(otherFamilyFact),
    { label: 'store', text: store(status, now) },
    ...tunnelFacts(status),
    { label: 'kernel', text: kernel(status, now) },
    {
      label: 'firewall',
      text: status.firewall === null ? '' : firewall(status.firewall, status.tunnel?.device ?? null),
    },
    { label: 'helpers', text: status.helpers.map((one) => helper(one, now)).join(' · ') },
  ]
  return facts.filter(({ text }) => text !== '')
}

/** A family beside the first: of the lease it has the subnet alone. */
function otherFamilyFact({ family, subnet: leased, address, interface: device, network }: HostFamily): Fact {
  const text = leased === null ? '' : `${leased}   ${address ?? 'no address'}${device === null ? '' : ` on ${device}`}`
  return { label: `IPv${family}`, text: text === '' ? '' : halves(text, usage(network)) }
}

function usage(network: NetworkStatus | null): string {
  return network === null ? '' : `network ${network.cidr} · ${network.used} of ${counted(network.total, 'subnet')} used`
}

function subnet({ lease, network }: Status, now: number): string {
  if (lease === null) return ''
  const renewed = lease.renewed === null ? '' : `renewed ${ago(lease.renewed, now)}`
  const left = lease.expires === null ? '' : `${span((lease.expires - now) / 1000)} left`
  const terms = lease.reserved
    ? 'reserved for this host'
    : `lease ${[renewed, left].filter((it) => it !== '').join(', ')}`
  return halves(`${lease.subnet}   ${terms}`, usage(network))
}

function store({ store: etcd, lease }: Status, now: number): string {
  const good = etcd.endpoints.filter(({ health }) => health === 'healthy' || health === 'unknown').length
  const revision = etcd.revision === null ? '' : ` · rev ${etcd.revision}`
  const since = etcd.since === null ? '' : ` ${etcd.connected ? '' : 'for '}${span((now - etcd.since) / 1000)}`
  const watch = lease === null ? '' : etcd.connected ? ' · watch live' : ` · not watched${since}`
  const ends = etcd.certificateEnds === null ? '' : `, certificate ${span((etcd.certificateEnds - now) / 1000)} left`
  const tls = { none: 'no TLS', server: 'TLS', mutual: 'mTLS' }[etcd.tls]
  return halves(`etcd ${good}/${etcd.endpoints.length}${revision}${watch}`, `${tls}${ends}`)
}

/** One line where there is one device of the backend's own, else a line for each device below that of the backend. */
function tunnelFacts({ tunnel, peers }: Status): readonly Fact[] {
  if (tunnel === null) return []
  const { type, encrypted, mtu, devices, proven } = tunnel
  const probed = peers.up + peers.degraded + peers.unreachable > 0
  const reached = probed ? ` (proven to ${proven}/${counted(peers.total, 'peer')})` : ''
  const [only, ...others] = devices
  const one = only !== undefined && others.length === 0 && only.type === type ? only : undefined
  const name = `${one === undefined ? type : deviceName(one)}${encrypted ? ' encrypted' : ''}`
  const text = `${name} · mtu ${mtu}${reached}${one === undefined ? '' : counters(one)}`
  const below = one === undefined ? devices : []
  return [
    { label: 'tunnel', text },
    ...below.map((device) => ({
      label: 'device',
      text: `${deviceName(device)} · mtu ${device.mtu}${counters(device)}`,
    })),
  ]
}

function deviceName({ device, type, vni, port }: DeviceStatus): string {
  return `${device} ${type}${vni === null ? '' : ` vni ${vni}`}${port === null ? '' : ` udp ${port}`}`
}

function counters({ rxBytes, txBytes, drops }: DeviceStatus): string {
  if (rxBytes === null || txBytes === null) return ''
  return `   rx ${bytes(rxBytes)} tx ${bytes(txBytes)} drops ${drops ?? 0}`
}

function kernel({ kernel: it }: Status, now: number): string {
  if (it.wanted === null) return ''
  const audited = it.audited === null ? 'not audited yet' : `last audit ${ago(it.audited, now)}`
  const last = it.lastRepair === null ? '' : ` (last: ${it.lastRepair.text}, ${clock(it.lastRepair.at, now)})`
  const repairs = `${counted(it.repairs, 'repair')} in 24h${it.repairs === 0 ? '' : last}`
  return `${it.right}/${counted(it.wanted, 'object')} as wanted · ${audited} · ${repairs}`
}

function firewall({ backend, forward, docker, masquerade, guard }: FirewallState, device: string | null): string {
  const sign = (what: string, good: boolean | null): readonly string[] =>
    good === null ? [] : [`${what} ${good ? '✓' : '✗ missing'}`]
  const guarded =
    guard === null
      ? device === null
        ? []
        : ['no guard']
      : guard.error !== null
        ? ['guard ✗ missing']
        : [
            `guard: ${guard.port ?? `protocol ${guard.protocol}`} from ${counted(guard.peers, 'peer')}, ${guard.unknownSenders === null ? 'dropped packets not known' : `${counted(guard.unknownSenders, 'packet')} of unknown senders${namesOf(guard.strangers)}`}`,
          ]
  const by = backend === null ? [] : [`by ${backend}`]
  return [
    ...sign('forward', forward),
    ...sign('docker raw', docker),
    ...sign('masquerade', masquerade),
    ...guarded,
    ...by,
  ].join(' · ')
}

function helper({ type, name, state, since, restarts, facts }: HelperStatus, now: number): string {
  const again = restarts === 0 ? '' : `, started again ${counted(restarts, 'time')}`
  const known = Object.entries(facts).map(([what, value]) => `, ${what} ${value}`)
  return `${type} of ${name} ${state} for ${span((now - since) / 1000)}${again}${known.join('')}`
}

/** The most that are named in a line. */
const NAMED = 3

function namesOf(strangers: GuardState['strangers']): string {
  const names = strangers.slice(0, NAMED).map(({ address }) => address)
  const more = strangers.length - names.length
  return names.length === 0 ? '' : ` (${names.join(', ')}${more > 0 ? ` and ${more} more` : ''})`
}

/** Two halves of a line, the right one under those of other lines where there is room. */
function halves(left: string, right: string): string {
  if (right === '') return left
  return left.length < HALF ? `${left.padEnd(HALF)}  ${right}` : `${left}   ${right}`
}

function ago(then: number, now: number): string {
  return `${span((now - then) / 1000)} ago`
}

/** "09:12", local time; with the day when that was another one. */
function clock(then: number, now: number): string {
  const [at, today] = [new Date(then), new Date(now)]
  const two = (n: number): string => String(n).padStart(2, '0')
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`
  return at.toDateString() === today.toDateString()
    ? time
    : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

/** "41.2 GB", in powers of 1000. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = n
  let unit = 0
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
