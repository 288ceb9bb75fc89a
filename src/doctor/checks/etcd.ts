// etcd: reached and quick, its certificates and ours, the daemon's watch on it, and the two clocks.
import type { CredentialFacts } from '../facts.ts'
import { textOf } from '../../etcd/alarms.ts'
import { counted } from '../../text/counted.ts'
import { isAbout } from '../target.ts'
import { type Check, type Fault, firstOf, outcomeOf, type OwnCheck } from '../finding.ts'

/** A read that takes longer holds up everything. Milliseconds. */
const SLOW_MS = 300
/** A certificate that expires sooner should be replaced now. Milliseconds. */
const SOON_MS = 14 * 86_400_000
/** etcd's answers have the time in seconds. Milliseconds. */
const SKEW_MS = 5_000

export const etcdCheck: Check = {
  name: 'etcd',
  about: 'every etcd endpoint answers quickly',
  ofPeer: false,
  run({ store }) {
    const { endpoints } = store
    const all = endpoints.every(({ error }) => error !== undefined)
    const faults: Fault[] = []
    for (const { url, error, roundTripMs = 0 } of endpoints) {
      if (error !== undefined) {
        faults.push({
          level: 'fault',
          ...(all ? { stops: true } : {}),
          cause: all
            ? 'no etcd endpoint answers: forwarding stays as it is, but no host is followed that joins, leaves or moves'
            : `an etcd endpoint does not answer: ${url}`,
          fix: FIX[error.why] ?? 'repair etcd, or correct -etcd-endpoints',
          proof: error.text,
        })
      } else if (roundTripMs > SLOW_MS) {
        faults.push({
          level: 'warning',
          cause: `etcd is slow: changes of hosts are seen late, and leases may expire`,
          fix: 'check its disk and network: etcdctl endpoint status, and its metric etcd_disk_wal_fsync_duration_seconds',
          proof: `${url}: a read takes ${Math.round(roundTripMs)} ms, up to ${SLOW_MS} is usual`,
        })
      }
    }
    const [alarm, ...others] = store.alarms ?? []
    if (alarm !== undefined) {
      const urls = endpoints.map(({ url }) => url)
      const { gist, text, run } = textOf([alarm, ...others], urls)
      faults.unshift({
        level: 'fault',
        stops: true,
        cause: text,
        fix: `${run}, once its cause is gone`,
        proof: `${urls.join(',')}: ${gist}`,
      })
    }
    if (faults.length === 0 && store.content === undefined) {
      const fix = 'details: etcdctl endpoint status'
      faults.push({ level: 'fault', stops: true, cause: 'etcd cannot be read', fix, proof: store.error ?? 'no answer' })
    }
    const times = endpoints.map(({ roundTripMs = 0 }) => `${Math.max(1, Math.round(roundTripMs))} ms`)
    return outcomeOf(firstOf(faults), `${endpoints.length} of ${endpoints.length} answer, in ${times.join(', ')}`)
  },
}

const FIX: Readonly<Record<string, string>> = {
  unreachable: 'start etcd there, or correct -etcd-endpoints; a firewall may be in between',
  deadline: 'check whether etcd hangs or a firewall drops packets: etcdctl endpoint health',
  unavailable: 'bring back enough members: etcdctl endpoint status --cluster',
  auth: 'check -etcd-username and the password, and the rights of its role on -etcd-prefix',
  tls: 'check -etcd-cafile, -etcd-certfile and -etcd-keyfile, and that the scheme is right',
}

export const tlsCheck: OwnCheck = {
  name: 'etcd-tls',
  about: "etcd's certificate and ours are valid and do not expire soon",
  ofPeer: false,
  run({ store, endpoints, credentials, now, options }) {
    if (!options.etcdEndpoints.some((url) => url.startsWith('https:')))
      return { unchecked: 'the endpoints are http://: nothing is encrypted' }
    const faults: Fault[] = [...credentialFaults(credentials, now)]
    for (const { url, certificateEnds } of endpoints) {
      if (certificateEnds === undefined) continue
      const proof = `${url}: until ${day(certificateEnds)}`
      faults.push(...endFaults(certificateEnds, now, "etcd's certificate", 'renew it on that member', proof))
    }
    for (const { url, error } of store.endpoints) {
      if (error?.why !== 'tls') continue
      const cause = `no secure connection to ${url}`
      faults.push({ level: 'fault', stops: true, cause, fix: FIX['tls'] ?? '', proof: error.text })
    }
    const ends = (credentials?.certificates ?? []).map(({ ends }) => ends)
    const first = Math.min(...ends, ...endpoints.flatMap(({ certificateEnds }) => certificateEnds ?? []))
    return outcomeOf(
      faults,
      Number.isFinite(first) ? `the first certificate ends ${day(first)}` : 'no certificate of ours',
    )
  },
}

/** What is wrong with our own files. */
function credentialFaults(credentials: CredentialFacts | undefined, now: number): readonly Fault[] {
  if (credentials === undefined) return []
  const faults: Fault[] = []
  if (credentials.error !== undefined) {
    const fix = 'pass readable files that match: -etcd-cafile, -etcd-certfile, -etcd-keyfile'
    faults.push({ level: 'fault', stops: true, cause: 'our TLS files are not usable', fix, proof: credentials.error })
  }
  for (const { flag, file, subject, begins, ends } of credentials.certificates) {
    const renew = `put a new certificate into ${file}; it is taken up without a restart`
    const proof = `-${flag} ${file}: ${subject}, ${day(begins)} to ${day(ends)}`
    if (begins > now) {
      const fix = `set this host's clock: timedatectl set-ntp true; or ${renew}`
      faults.push({ level: 'fault', stops: true, cause: 'our certificate is not valid yet', fix, proof })
    } else faults.push(...endFaults(ends, now, 'our certificate', renew, proof))
  }
  return faults
}

function endFaults(ends: number, now: number, whose: string, fix: string, proof: string): readonly Fault[] {
  if (ends <= now)
    return [{ level: 'fault', stops: true, code: 'certificate', cause: `${whose} has ended`, fix, proof }]
  return ends - now < SOON_MS ? [{ level: 'fault', code: 'certificate', cause: `${whose} ends soon`, fix, proof }] : []
}

export const watchCheck: Check = {
  name: 'etcd-watch',
  about: 'the daemon follows changes in etcd',
  ofPeer: true,
  settles: true,
  run({ daemon, store, plan, target }) {
    if (daemon.state !== 'answers') return { unchecked: 'no daemon answers' }
    const { running } = daemon.facts
    if (running === undefined) return { unchecked: 'the daemon has no lease yet' }
    if (store.content === undefined) return { unchecked: `etcd: ${store.error ?? 'no answer'}` }
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const known = new Map(running.peers.map((peer) => [peer.subnet, peer.publicAddress]))
    const stored = new Map(Array.from(plan.value.peers.values(), (peer) => [peer.subnet, peer.publicAddress]))
    const differing = [...new Set([...known.keys(), ...stored.keys()])].filter(
      (subnet) => known.get(subnet) !== stored.get(subnet) && isAbout(target, subnet),
    )
    const [first] = differing
    if (first === undefined) return { seen: `the daemon knows all that are stored: ${counted(stored.size, 'peer')}` }
    const shown = (address: string | undefined): string => address ?? 'none'
    return {
      faults: [
        {
          level: 'fault',
          stops: true,
          cause: `the daemon does not follow etcd: it is behind by ${counted(differing.length, 'peer')}`,
          fix: 'systemctl restart flanneld (forwarding continues)',
          proof: `${first}: stored ${shown(stored.get(first))}, the daemon has ${shown(known.get(first))}`,
        },
      ],
    }
  },
}

export const clockCheck: OwnCheck = {
  name: 'clock',
  about: "this host's clock agrees with etcd's",
  ofPeer: false,
  run({ endpoints }) {
    const timed = endpoints.filter(({ clockAheadMs }) => clockAheadMs !== undefined)
    if (timed.length === 0)
      return { unchecked: `no endpoint sends its time: ${endpoints[0]?.error ?? 'none was asked'}` }
    const faults = timed
      .filter(({ clockAheadMs = 0 }) => Math.abs(clockAheadMs) > SKEW_MS)
      .map(({ url, clockAheadMs = 0 }): Fault => {
        const seconds = Math.round(Math.abs(clockAheadMs) / 1000)
        const direction = clockAheadMs > 0 ? 'behind' : 'ahead of'
        return {
          level: 'warning',
          cause: `this host's clock is ${seconds} s ${direction} etcd's: certificates and tokens may be refused, log times do not match (leases use elapsed time and are safe)`,
          fix: 'timedatectl set-ntp true, here or there',
          proof: `${url}: its time minus ours is ${clockAheadMs > 0 ? '' : '-'}${seconds} s`,
        }
      })
    return outcomeOf(faults, `within ${SKEW_MS / 1000} s of ${counted(timed.length, 'endpoint')}`)
  },
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ')
}
