// The daemon itself, the config it runs under, and the file it leaves for Docker.
import { messageOf } from '../../errors.ts'
import { type Configuration, readConfiguration } from '../../network-config/configuration.ts'
import { withoutSecrets } from '../../network-config/hidden-secrets.ts'
import { BACKENDS } from '../../../backends/index.ts'
import { reasonText } from '../../health/readiness.ts'
import { subnetEnvOf } from '../../overlay/plan.ts'
import { firstUsable, type FoundSubnetEnv } from '../../host/subnet-env.ts'
import { FAMILIES, familiesOf, inFamily, valuesOf } from '../../ip/by-family.ts'
import type { HostFacts } from '../facts.ts'
import { type Check, type Fault, type CheckOutcome, outcomeOf, type OwnCheck, type OwnFacts } from '../finding.ts'

const START = 'systemctl start flanneld (journalctl -u flanneld says why it ended)'

export const daemonCheck: Check = {
  name: 'daemon',
  about: 'a daemon runs, answers and is ready',
  ofPeer: true,
  settles: true,
  run({ daemon }) {
    if (daemon.state === 'absent') {
      const cause = 'no daemon runs here: nothing is repaired or followed, and its lease runs out'
      return {
        faults: [{ level: 'fault', stops: true, cause, fix: START, proof: `no answer at ${daemon.socket}` }],
      }
    }
    if (daemon.state === 'silent') {
      const cause = 'the daemon hangs or is stopped: nothing is repaired, its lease runs out'
      const fix = 'systemctl restart flanneld (forwarding continues)'
      return { faults: [{ level: 'fault', stops: true, cause, fix, proof: daemon.why }] }
    }
    const { reasons, unready, version, pid } = daemon.facts
    if (reasons.length === 0) return { seen: `flanneld ${version}, pid ${pid}, ready` }
    const known = (unready ?? []).filter(({ code }) => code !== 'not-yet').map(reasonText)
    const cause = `the daemon is not ready: ${(known.length > 0 ? known : reasons).join('; ')}`
    const fix = 'see the other findings; more is in journalctl -u flanneld'
    return { faults: [{ level: 'fault', stops: true, cause, fix, proof: `flanneld ${version}, pid ${pid}, says so` }] }
  },
}

export const configCheck: Check = {
  name: 'config',
  about: 'the network config in etcd exists, can be run, and is the running one',
  ofPeer: false,
  settles: true,
  run({ store, daemon, options, host }) {
    const key = `${options.etcdPrefix}/config`
    if (store.content === undefined) return { unchecked: `etcd: ${store.error ?? 'no answer'}` }
    const text = store.content.config
    if (text === undefined) {
      const fix = `etcdctl put ${key} '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan"}}', or another -etcd-prefix`
      return {
        faults: [
          { level: 'fault', stops: true, cause: 'there is no network config', fix, proof: `etcd has no key ${key}` },
        ],
      }
    }
    const running = daemon.state === 'answers' ? daemon.facts.running?.config : undefined
    try {
      const configuration = readConfiguration(text, BACKENDS)
      const { remarks } = configuration
      const networks = valuesOf(configuration.ranges).map(({ network }) => network)
      const faults: Fault[] = remarks.map((remark) => ({
        level: remark.level,
        code: 'network-config',
        cause: remark.text,
        fix: `correct ${key}; check it with flanneld config check FILE`,
        proof: shown(text),
      }))
      faults.push(...interfaceFaults(configuration, host, key))
      if (running !== undefined && running !== text) {
        faults.push({
          level: 'fault',
          stops: true,
          code: 'config-refused',
          cause: 'the daemon keeps its old config: the stored one cannot be applied while it runs',
          fix: `etcdctl put ${key} '${shown(running)}', or stop all hosts, delete the leases, and start them again`,
          proof: `stored ${shown(text)}, running ${shown(running)}`,
        })
      }
      return outcomeOf(faults, `network ${networks.join(' and ')}`)
    } catch (error) {
      const fix = `etcdctl put ${key} with a valid one; check it first with flanneld config check FILE`
      return {
        faults: [{ level: 'fault', stops: true, cause: messageOf(error), fix, proof: `${key}: ${shown(text)}` }],
      }
    }
  },
}

/** A family of the config for which this host has no interface: no daemon takes such a config here. */
function interfaceFaults({ ranges }: Configuration, { externals }: HostFacts, key: string): readonly Fault[] {
  return familiesOf(ranges).flatMap((family): readonly Fault[] => {
    const found = externals[family]
    if (!('unknown' in found)) return []
    return [
      {
        level: 'fault',
        stops: true,
        code: 'config-refused',
        cause: `the network config has IPv${family} on, and this host has no interface for it: no daemon starts with it here`,
        fix: `give this host an IPv${family} address that the other hosts reach, name its interface with -iface, or set EnableIPv${family} to false in ${key}`,
        proof: found.unknown,
      },
    ]
  })
}

export const subnetEnvCheck: OwnCheck = {
  name: 'subnet-env',
  about: 'subnet.env matches the lease',
  ofPeer: false,
  settles: true,
  run: (facts) => subnetEnvOutcome(facts),
}

function subnetEnvOutcome({ host, plan, options }: OwnFacts): CheckOutcome {
  const { subnetFile } = options
  const fix = 'systemctl restart flanneld, which writes it; then restart dockerd'
  if ('unknown' in host.subnetEnv) return { unchecked: host.subnetEnv.unknown }
  const found = host.subnetEnv.value
  if (found === undefined) {
    const cause = 'subnet.env is missing: Docker starts on another subnet, or not at all'
    return { faults: [{ level: 'fault', stops: true, cause, fix, proof: `there is no ${subnetFile}` }] }
  }
  const { inputs } = 'value' in plan ? plan.value : { inputs: undefined }
  if (inputs === undefined) return { unchecked: 'what is leased is not known' }
  const wanted = subnetEnvOf(inputs)
  const [has, wants] = [namedIn(found), namedIn(wanted)]
  const names = new Set([...has.keys(), ...wants.keys()])
  const faults = [...names]
    .filter((name) => has.get(name) !== wants.get(name))
    .map((name): Fault => ({
      level: 'fault',
      stops: true,
      cause: `subnet.env has another ${name} than leased: Docker uses the old one`,
      fix,
      proof: `${subnetFile}: ${name} ${has.get(name) ?? 'missing'}, leased ${wants.get(name) ?? 'none'}`,
    }))
  const subnets = valuesOf(inputs.subnets).map(firstUsable)
  return outcomeOf(faults, `${subnetFile}: ${subnets.join(' and ')}, mtu ${wanted.mtu}`)
}

/** A network config as it may be shown. */
function shown(text: string): string {
  return withoutSecrets(text).replaceAll(/\s+/g, ' ').trim()
}

/** The values of a file, under the names operators use; the first family has none of its own. */
function namedIn(env: FoundSubnetEnv): ReadonlyMap<string, string | number | boolean> {
  const named = FAMILIES.flatMap((family) => {
    const of = family === FAMILIES[0] ? '' : `IPv${family} `
    return [
      [`${of}network`, inFamily(env.networks, family)],
      [`${of}subnet`, inFamily(env.subnets, family)],
    ] as const
  })
  const all = [...named, ['mtu', env.mtu], ['ipMasq', env.ipMasq]] as const
  return new Map(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])))
}
