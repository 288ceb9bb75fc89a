// What backends have outside of the kernel: the file of WireGuard's key, and programs that have to run.
import type { HelperStatus } from '../../helpers/slot.ts'
import { type Check, type Fault, outcomeOf } from '../finding.ts'

/** Bits of a file's mode that let others than its owner at it. */
const OTHERS = 0o077

export const keyFileCheck: Check = {
  name: 'wireguard-key',
  about: 'the file of the WireGuard key is there, and readable by its owner alone',
  ofPeer: false,
  run({ host, plan, daemon }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { own } = plan.value.configuration
    if (own.backend.prepares === undefined || own.backend.type !== 'wireguard') return { seen: 'none is needed' }
    const { path, mode } = host.keyFile
    if (mode === undefined) {
      if (daemon.state !== 'answers') return { seen: `${path} is not there: the daemon makes it` }
      const cause = 'the file of the WireGuard key is gone: at its next start the daemon makes another key'
      const fix = `nothing, if peers may learn another key then; the daemon's own is in ${path}, or where its WIREGUARD_KEY_FILE says`
      return { faults: [{ level: 'warning', cause, fix, proof: `there is no ${path}` }] }
    }
    if ((mode & OTHERS) === 0) return { seen: `${path}, mode ${shown(mode)}` }
    const cause = 'others than root can read the WireGuard key: who has it reads all traffic of this host'
    const fix = `chmod 400 ${path}; if somebody may have read it, remove it and restart flanneld, which makes another`
    return { faults: [{ level: 'warning', cause, fix, proof: `${path} has mode ${shown(mode)}` }] }
  },
}

function shown(mode: number): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`
}

export const helpersCheck: Check = {
  name: 'helpers',
  about: 'the programs that the backend needs beside the kernel run',
  ofPeer: false,
  settles: true,
  run({ plan, daemon }) {
    if (daemon.state !== 'answers') {
      const needsNone = 'value' in plan && !('helpers' in plan.value.configuration.own.backend)
      return needsNone ? { seen: 'none is needed' } : { unchecked: 'no daemon answers' }
    }
    const helpers = daemon.facts.helpers ?? []
    if (helpers.length === 0) return { seen: 'none is needed' }
    const faults = helpers.flatMap((one) => (one.state === 'down' ? [downFault(one)] : []))
    return outcomeOf(faults, helpers.map(({ type, name, state }) => `${type} ${name} ${state}`).join(', '))
  },
}

function downFault({ type, name, error, restarts }: HelperStatus): Fault {
  return {
    level: 'fault',
    stops: true,
    code: 'helper-down',
    cause: `${type} ${name} does not run: ${error ?? 'why is not known'}`,
    fix: 'correct what it says; the daemon tries again every few seconds (journalctl -u flanneld)',
    proof: `started again ${restarts} times`,
  }
}
