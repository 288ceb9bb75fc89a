// The addresses that are shut out, as this daemon follows them: read from the watch, logged, and shown in the status.
import type { Conditions } from '../health/conditions.ts'
import type { WatchStep } from '../etcd/store.ts'
import type { Address } from '../ip/address.ts'
import { addressShutOut, shutOutFolder } from '../lease/shut-out.ts'
import type { Log } from '../log.ts'

/** What a step changed. */
export interface ShutOutStep {
  readonly added: readonly Address[]
  /** Addresses whose leases have to be read again. */
  readonly removed: readonly Address[]
}

/** An operator shuts out a host or two; more than this many keys are a mistake. */
const MOST = 1_000
/** The most addresses that the status names. */
const NAMED = 8

export class ShutOuts {
  readonly #prefix: string
  readonly #conditions: Conditions
  readonly #log: Log
  readonly #addresses = new Set<Address>()
  #oddKey: string | undefined

  constructor(prefix: string, conditions: Conditions, log: Log) {
    this.#prefix = prefix
    this.#conditions = conditions
    this.#log = log
  }

  /** Whether an address is shut out. */
  has(address: Address): boolean {
    return this.#addresses.has(address)
  }

  /** Takes a step of the watch on the prefix; `own` are our public addresses. */
  take(step: Exclude<WatchStep, { type: 'disconnected' }>, own: readonly Address[]): ShutOutStep {
    const before = new Set(this.#addresses)
    if (step.type === 'snapshot') {
      this.#addresses.clear()
      for (const { key } of step.snapshot.entries) this.#put(key)
    } else {
      for (const change of step.changes) {
        if (change.type === 'put') this.#put(change.entry.key)
        else this.#delete(change.key)
      }
    }
    const added = [...this.#addresses].filter((address) => !before.has(address))
    const removed = [...before].filter((address) => !this.#addresses.has(address))
    for (const address of added) this.#log.warn(`${address} is shut out: nothing is sent there or taken from there`)
    for (const address of removed) this.#log.info(`${address} is readmitted`)
    this.#state(own)
    return { added, removed }
  }

  #put(key: string): void {
    if (!key.startsWith(shutOutFolder(this.#prefix))) return
    const address = addressShutOut(this.#prefix, key)
    if (address !== undefined && (this.#addresses.size < MOST || this.#addresses.has(address)))
      this.#addresses.add(address)
    else if (this.#oddKey === undefined)
      this.#log.warn(`${(this.#oddKey = key)}: shuts no host out: not one IP address`)
  }

  #delete(key: string): void {
    const address = addressShutOut(this.#prefix, key)
    if (address !== undefined) this.#addresses.delete(address)
  }

  #state(own: readonly Address[]): void {
    const ours = own.find((address) => this.#addresses.has(address))
    if (ours !== undefined) {
      const text = `this host's public address ${ours} is shut out: its peers send nothing here and take nothing from here`
      this.#conditions.set('shut-out', { level: 'fault', gist: 'shut out', text, run: `flanneld readmit ${ours}` })
    } else {
      this.#conditions.clear('shut-out')
    }
    const others = [...this.#addresses].filter((address) => !own.includes(address))
    const [first] = others
    if (first === undefined) return void this.#conditions.clear('peers-shut-out')
    const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : ''
    const text = `shut out by the operator: ${others.slice(0, NAMED).join(', ')}${more}`
    this.#conditions.set('peers-shut-out', { level: 'note', gist: 'shut out', text, run: `flanneld readmit ${first}` })
  }
}
