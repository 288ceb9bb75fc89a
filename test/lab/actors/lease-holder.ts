// Leases of tests: claims of made-up hosts against a real etcd.
import type { ExecutionContext } from 'ava'
import { openStore } from '../../../src/etcd/client.ts'
import type { Store } from '../../../src/etcd/store.ts'
import { type Address, fromNumber } from '../../../src/ip/address.ts'
import type { Prefix } from '../../../src/ip/prefix.ts'
import type { SubnetRange } from '../../../src/lease/allocate.ts'
import type { Claim, OwnLease } from '../../../src/lease/found.ts'
import { encodeKey, encodeValue } from '../../../src/lease/codec.ts'
import { keepLease, type KeepOptions, type LeaseKeeper } from '../../../src/lease/keep.ts'
import type { LeaseValue } from '../../../src/lease/lease.ts'
import { type AcquireOptions } from '../../../src/lease/own.ts'
import type { Log } from '../../../src/log.ts'
import { type Etcd, startEtcd } from '../world/etcd.ts'
import { NEITHER, onlySubnet, first, only } from '../../../src/ip/by-family.ts'

export const PREFIX = '/docker-test/network'

export interface LeaseStore {
  readonly etcd: Etcd
  readonly store: Store
  readonly lines: string[]
  readonly abort: AbortController
  readonly options: AcquireOptions
}

export async function startLeaseStore(t: ExecutionContext): Promise<LeaseStore> {
  const etcd = await startEtcd(t)
  const store = openStore({ endpoints: [etcd.url] })
  t.teardown(() => {
    store.close()
  })
  const lines: string[] = []
  const abort = new AbortController()
  t.teardown(() => {
    abort.abort()
  })
  return { etcd, store, lines, abort, options: { log: linesTo(lines), signal: abort.signal } }
}

export function linesTo(lines: string[]): Log {
  const line = (severity: string) => (text: string) => void lines.push(`${severity} ${text}`)
  const log: Log = { info: line('I'), warn: line('W'), error: line('E'), debug: () => undefined, part: () => log }
  return log
}

export function claimOf(n: number, change: Partial<Claim> = {}, hostId = `host-${n}`): Claim {
  const addresses = change.addresses ?? only(4, fromNumber(0xc0a81300 + n))
  return {
    hostId,
    addresses,
    ranges: { ipv4: range(120), ipv6: undefined },
    previous: NEITHER,
    value: () => valueOf(first(addresses), hostId),
    ...change,
  }
}

export function range(count: number): SubnetRange {
  return {
    network: '10.2.0.0/16' as Prefix,
    subnetLen: 24,
    subnetMin: '10.2.1.0' as Address,
    subnetMax: `10.2.${count}.0` as Address,
  }
}

export function valueOf(publicAddress: Address, hostId: string | undefined, mac = 'c6:d2:32:6f:8f:44'): LeaseValue {
  const backendData = { VNI: 1, VtepMAC: mac }
  return {
    addresses: only(4, publicAddress),
    sourceAddresses: NEITHER,
    backendType: 'vxlan',
    backendData: only(4, backendData),
    hostId,
  }
}

export const keyOf = (subnet: string): string => encodeKey(PREFIX, onlySubnet(subnet as Prefix))

/** Writes a lease as another host would; its etcd lease. */
export async function putForeignLease(
  store: Store,
  subnet: string,
  address: string,
  hostId?: string,
  ttl = 86_400,
): Promise<string> {
  const lease = ttl === 0 ? '0' : await store.grant(ttl)
  const value = encodeValue(valueOf(address as Address, hostId))
  await store.commit([], [{ type: 'put', key: keyOf(subnet), value, lease }])
  return lease
}

export async function etcdLeases(etcd: Etcd): Promise<number> {
  return Number(/found (\d+) leases/.exec(await etcd.etcdctl('lease list'))?.[1])
}

export async function leaseAt(
  store: Store,
  subnet: string,
): Promise<{ value: string; lease: string; modRevision: string } | undefined> {
  const { entry } = await store.get(keyOf(subnet))
  return entry && { value: entry.value.toString(), lease: entry.lease, modRevision: entry.modRevision }
}

export interface Kept {
  readonly keeper: LeaseKeeper
  readonly changes: { own: OwnLease; why: string }[]
  readonly renewals: (number | undefined)[]
}

export function keepAcquired(
  { store, options }: LeaseStore,
  claim: Claim,
  own: OwnLease,
  more: Partial<KeepOptions> = {},
  via = store,
): Kept {
  const changes: Kept['changes'] = []
  const renewals: Kept['renewals'] = []
  const events = {
    onChanged: (changed: OwnLease, why: string) => void changes.push({ own: changed, why }),
    onRenewed: (expires: number | undefined) => void renewals.push(expires),
  }
  return {
    keeper: keepLease({
      store: via,
      prefix: PREFIX,
      claim,
      lease: own,
      events,
      options: { ...options, interval: 100, ...more },
    }),
    changes,
    renewals,
  }
}
