// What is wrong with a host as its daemon sees it: one reason each, with the command to run next. Pure.
import { removalCommand } from '../kernel/removal.ts'
import type { PeerView, Status } from './status-shape.ts'
import { type Unready, reasonText } from '../health/readiness.ts'
import type { Condition } from '../health/conditions.ts'
import { counted } from '../text/counted.ts'
import { span } from '../text/duration.ts'

/** Something that is wrong. */
export interface Reason {
  /** Stable, in kebab-case: scripts read it. That of a condition, where one says so. */
  readonly code: string
  /** In some words, for the first line. */
  readonly gist: string
  /** For people. */
  readonly text: string
  /** The command to run next; null where the text says what to do. */
  readonly run: string | null
}

/** Something that is no fault. */
export interface Remark {
  /** As a reason's. */
  readonly code: string
  readonly level: 'warning' | 'note'
  readonly text: string
  readonly run: string | null
}

/** A client certificate that ends sooner is a reason. Milliseconds. */
const CERTIFICATE_MS = 14 * 86_400_000
/** A lease is renewed every 10 s; one that was not for this long is a reason. Milliseconds. */
const RENEWAL_MS = 60_000
/** The most peers in trouble that get a line of their own. */
const PEERS = 5

/** What is known from the first moment of the daemon on. */
export interface ReasonSource extends Pick<Status, 'unready' | 'conditions'> {
  readonly store: { readonly endpoints: readonly { readonly url: string }[] }
}

/** All that is wrong, except what the daemon waits for; the nearest to this host first. */
export function statusReasons(status: Status, now: number): readonly Reason[] {
  return [
    ...conflicts(status),
    ...store(status, now),
    ...lease(status, now),
    ...peers(status, now),
    ...firewall(status),
    ...faultsOf(status.conditions),
  ]
}

/** What the start, or the daemon, waits for. What merely follows from it is left out. */
export function missing({ unready, store: { endpoints } }: ReasonSource): readonly Reason[] {
  const known = unready.filter(({ code }) => code !== 'not-yet')
  const check = checkEtcd(endpoints.map(({ url }) => url))
  return (known.length > 0 ? known : unready.slice(0, 1)).map((one) => ({
    code: 'not-ready',
    ...missingText(one, check),
  }))
}

function missingText(unready: Unready, checkEtcd: string): Omit<Reason, 'code'> {
  const { part, code, text } = unready
  const named = reasonText(unready)
  switch (code) {
    case 'not-yet':
      return { gist: 'starting', text: 'the daemon has just started', run: 'flanneld status -watch' }
    case 'etcd-unreachable':
      return { gist: 'waiting for etcd', text, run: checkEtcd }
    case 'no-config':
      return { gist: 'no network config', text, run: 'flanneld config set FILE' }
    case 'config-refused':
      return { gist: 'network config refused', text, run: 'flanneld config get' }
    case 'no-free-subnet':
    case 'duplicate-address':
      return { gist: 'no lease', text, run: 'flanneld leases' }
    case 'subnet-taken':
    case 'lease-lost':
      return { gist: 'no lease', text: named, run: 'flanneld events' }
    case 'subnet-changed':
    case 'kernel-refused':
    case 'helper-down':
    case 'file-not-written':
    case 'unknown':
      return { gist: `${part} not ready`, text: named, run: 'flanneld doctor' }
  }
}

function checkEtcd(urls: readonly string[]): string {
  return `etcdctl --endpoints=${urls.join(',')} endpoint health`
}

function conflicts({ kernel }: Status): readonly Reason[] {
  return kernel.conflicts.map(({ kind, text }) => ({
    code: 'conflict',
    gist: counted(kernel.conflicts.length, 'conflict'),
    text: `a foreign object is in the place of ours: ${text}: remove it`,
    run: removalCommand(kind, text),
  }))
}

function store({ store: etcd, lease: own, ready, conditions }: Status, now: number): readonly Reason[] {
  const { endpoints, connected, since, error, certificateEnds } = etcd
  const reasons: Reason[] = []
  const check = checkEtcd(endpoints.map(({ url }) => url))
  if (!connected && own !== null) {
    const forHow = since === null ? '' : ` for ${span((now - since) / 1000)}`
    const why = error === null ? '' : `: ${error.text}`
    const text = `etcd is not watched${forHow}${why}; forwarding continues`
    reasons.push({ code: 'etcd-unwatched', gist: 'etcd unreachable', text, run: check })
  } else if (ready) {
    // A member with an alarm answers, and says no more than that (etcd 3.4: not even that); the condition does.
    const alarmed = conditions.some(({ code }) => code === 'etcd-alarm')
    const ails = ({ health, detail }: (typeof endpoints)[number]): boolean =>
      health === 'silent' || (health === 'unhealthy' && !(alarmed && /^(ALARM |$)/.test(detail)))
    const down = endpoints.filter(ails)
    const [gist, after] =
      down.length < endpoints.length
        ? ['an etcd member is down', 'the others serve']
        : ['etcd does not answer', 'forwarding continues']
    for (const { url, health, detail } of down) {
      reasons.push({ code: 'etcd-member', gist, text: `etcd: ${url}: ${health}: ${detail}; ${after}`, run: check })
    }
  }
  if (certificateEnds !== null && certificateEnds - now < CERTIFICATE_MS) {
    const left = certificateEnds - now
    const text = left <= 0 ? 'the client certificate has ended' : `the client certificate ends in ${span(left / 1000)}`
    const advice = `${text}: replace the file of -etcd-certfile, it is read again`
    const gist = left <= 0 ? 'certificate ended' : 'certificate ends soon'
    reasons.push({ code: 'certificate', gist, text: advice, run: null })
  }
  return reasons
}

function lease({ lease: own, store: { connected } }: Status, now: number): readonly Reason[] {
  if (own === null || own.reserved || own.renewed === null || !connected || now - own.renewed < RENEWAL_MS) return []
  const left =
    own.expires === null ? '' : own.expires <= now ? ', and has ended' : `, ${span((own.expires - now) / 1000)} left`
  const text = `the lease was not renewed for ${span((now - own.renewed) / 1000)}${left}`
  return [{ code: 'lease-not-renewed', gist: 'lease not renewed', text, run: 'flanneld events' }]
}

function peers({ peers: counts, troubled }: Status, now: number): readonly Reason[] {
  const gists: Readonly<Partial<Record<PeerView['state'], string>>> = {
    unreachable: `${counts.unreachable} of ${counted(counts.total, 'peer')} unreachable`,
    degraded: `${counts.degraded} of ${counted(counts.total, 'peer')} degraded`,
    refused: `${counted(troubled.filter(({ state }) => state === 'refused').length, 'lease')} refused`,
  }
  const reasons = troubled.slice(0, PEERS).map((peer): Reason => {
    const gist = gists[peer.state] ?? ''
    const who = `${peer.subnet}${peer.publicAddress === null ? '' : ` at ${peer.publicAddress}`}`
    if (peer.state === 'refused')
      return { code: 'lease-refused', gist, text: `the lease ${who} is refused: ${peer.note}`, run: 'flanneld peers' }
    const forHow = peer.since === null ? '' : ` for ${span((now - peer.since) / 1000)}`
    const text = `${who} ${peer.state}${forHow}${peer.note === '' ? '' : `: ${peer.note}`}`
    return { code: `peer-${peer.state}`, gist, text, run: `flanneld doctor ${peer.subnet}` }
  })
  const more = counts.inTrouble - reasons.length
  if (more <= 0) return reasons
  return [
    ...reasons,
    { code: 'more-peers', gist: '', text: `and ${counted(more, 'peer')} more in trouble`, run: 'flanneld peers' },
  ]
}

function firewall({ firewall: state }: Status): readonly Reason[] {
  const reasons: Reason[] = []
  if (state?.error)
    reasons.push({ code: 'firewall-rules', gist: 'firewall rules missing', text: state.error, run: 'flanneld doctor' })
  if (state?.guard?.error) {
    const text = `guard: ${state.guard.error}: anybody can send into the network`
    reasons.push({ code: 'guard', gist: 'no guard', text, run: 'flanneld doctor' })
  }
  return reasons
}

/** Faults among the conditions. */
export function faultsOf(conditions: readonly Condition[]): readonly Reason[] {
  return conditions
    .filter(({ level }) => level === 'fault')
    .map(({ code, gist, text, run }) => ({ code, gist, text, run }))
}

/** Warnings and notes among the conditions. */
export function remarksOf(conditions: readonly Condition[]): readonly Remark[] {
  return conditions.flatMap(({ code, level, text, run }) => (level === 'fault' ? [] : [{ code, level, text, run }]))
}
