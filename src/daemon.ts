// The wiring, in start order. Above the drawn line the daemon only reads; below it touches the machine.
import type { AnyBackend } from './backend.ts'
import { coalesce } from './coalesce.ts'
import { DockerBridge } from './docker-bridge.ts'
import { OperatorError, messageOf } from './errors.ts'
import { openStore } from './etcd/client.ts'
import type { Store } from './etcd/store.ts'
import { pause } from './etcd/wait.ts'
import { chooseExternalInterface } from './external-interface.ts'
import { createFirewall } from './firewall/firewall.ts'
import { createGuard } from './firewall/guard.ts'
import { serveHealth } from './health.ts'
import { type Inputs, leaseValueOf, subnetEnvOf } from './host-plan.ts'
import { parseAddress } from './ip/address.ts'
import { contains } from './ip/prefix.ts'
import { LiveKernel } from './kernel/live.ts'
import { startMonitor } from './kernel/monitor.ts'
import type { Claim, OwnLease } from './lease/claim.ts'
import { encodeValue } from './lease/codec.ts'
import { keepLease } from './lease/keep.ts'
import { acquireLease } from './lease/own.ts'
import type { Log } from './log.ts'
import type { Options } from './options/type.ts'
import { staySmall } from './memory.ts'
import { controlRoutes, firstSight, healthPortRoutes } from './operator.ts'
import { Overlay } from './overlay.ts'
import { Readiness } from './readiness.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { tellSystemd } from './sd-notify.ts'
import { awaitConfiguration, findDevices, findHost, obstacleTo } from './startup.ts'
import { readSubnetEnv } from './subnet-env.ts'
import { controlPath, serveControl } from './control.ts'
import { follow } from './follow.ts'

/** What the daemon runs with. */
export interface DaemonParts {
  readonly options: Options
  readonly backends: readonly AnyBackend[]
  readonly version: string
  readonly log: Log
  readonly signal: AbortSignal
  /** As FollowParts has it. */
  readonly holdMs?: number
}

/** Runs until the signal aborts. Rejects with OperatorError for what only the operator can mend. */
export async function runDaemon({ options, backends, version, log, signal, holdMs }: DaemonParts): Promise<void> {
  log.info(`flanneld ${version}, node ${process.version}`)
  const readiness = new Readiness(['lease', 'backend', 'subnet.env', 'peers', 'kernel'], log)
  const kernel = new LiveKernel()
  const reconciler = new Reconciler(kernel, log.part('kernel'), (failing) =>
    failing === 0 ? readiness.good('kernel') : readiness.bad('kernel', `${failing} changes refused`),
  )
  tellSystemd(readiness, () => reconciler.busyFor, signal)
  const sight = firstSight({ version, options, readiness, reconciler })
  const { healthzIp: ip, healthzPort: port } = options
  if (port > 0) await serveHealth({ ip, port }, healthPortRoutes(sight), log.part('health'), signal)

  const host = await findHost(kernel, options, log.part('host'))
  const opened = openStore({
    endpoints: options.etcdEndpoints,
    certificateFile: options.etcdCertfile,
    keyFile: options.etcdKeyfile,
    caFile: options.etcdCafile,
    username: options.etcdUsername,
    password: options.etcdPassword,
  })
  const store = sight.etcd.counted(opened)
  signal.addEventListener('abort', () => store.close())
  const configuration = await awaitConfiguration({
    store,
    kernel,
    external: host.external,
    options,
    backends,
    log: log.part('config'),
    signal,
  })
  if (configuration === undefined) return
  const previous = await readSubnetEnv(options.subnetFile)
  const devices = await findDevices(kernel, configuration.range.network)
  const inputs: Omit<Inputs, 'subnet'> = {
    options,
    configuration,
    external: host.external,
    hostId: host.hostId,
    others: [],
    keptMacs: devices.macs,
    leftovers: devices.names,
    nexthops: false,
  }
  const claim = claimOf(inputs, previous?.subnet)
  const lease = await acquireLease(store, options.etcdPrefix, claim, { log: log.part('lease'), signal })
  readiness.good('lease')
  log.part('lease').info(`${lease.subnet} is ours`)

  // ---------------------------------------------------------------- below this line we touch the machine
  const firewallLog = log.part('firewall')
  const resyncSeconds = options.iptablesResync
  const networks = [previous?.network, previous?.subnet].filter((prefix) => prefix !== undefined)
  const firewall = createFirewall({ log: firewallLog, resyncSeconds, previous: networks })
  const vnis = devices.names.map((name) => Number(name.slice('flannel.'.length)))
  const guard = createGuard({ log: firewallLog, resyncSeconds, previous: vnis })
  const nexthopsKnown = await kernel.hasNexthops()
  const keeper = keepLease(
    store,
    options.etcdPrefix,
    claim,
    lease,
    {
      onChanged: ({ subnet }) => {
        if (subnet !== overlay.inputs.subnet) readiness.bad('subnet.env', `our subnet is ${subnet} now`)
        void overlay.update({ subnet })
      },
      onLost: (why) => readiness.bad('lease', why),
      onHeld: () => readiness.good('lease'),
    },
    { log: log.part('lease'), signal },
  )
  const overlay = new Overlay(
    {
      reconciler,
      firewall,
      guard,
      readiness,
      log: log.part('overlay'),
      backends,
      nexthopsKnown,
      publish: (value) => {
        const same = encodeValue(keeper.own().value) === encodeValue(value)
        if (!same) keeper.publish(claimOf(overlay.inputs, overlay.inputs.subnet))
      },
    },
    { ...inputs, subnet: lease.subnet },
  )
  const running = reconciler.run(signal)
  const dockerBridge = new DockerBridge(networks, log.part('docker'))
  const hostChanged = coalesce(
    () => followHost(kernel, store, options, overlay, dockerBridge, log.part('host')),
    (error) => log.error(`host: ${messageOf(error)}`),
  )
  await startMonitor(
    kernel,
    {
      isOurDevice: (name) => reconciler.isOurDevice(name),
      // Another one may become it: when ours is gone, or comes back under a new name.
      isExternalDevice: (name) => !/^(veth|docker|br-|flannel\.)/.test(name),
      isWanted: (key) => isPeersNeighbor(key, overlay),
      isOurNetwork: (destination) => contains(overlay.inputs.configuration.range.network, destination),
      onDrift: (drift) => void reconciler.drift(drift),
      onExternalChange: (what) => {
        // The kernel drops routes over it without a word when it goes down or loses its address.
        if (what.split(' ')[1] === overlay.inputs.external.name)
          reconciler.drift({ type: 'drift', kind: 'route', what })
        void hostChanged()
      },
    },
    signal,
  )
  void audit(reconciler, overlay, hostChanged, options.auditInterval, signal)
  staySmall(signal)
  Object.assign(sight, { store, keeper, overlay, guard, firewall })
  await serveControl(controlPath(options.subnetFile), controlRoutes(sight), log, signal)
  await overlay.update({})
  await follow({
    store,
    options,
    backends,
    overlay,
    reconciler,
    readiness,
    keeper,
    census: sight.census,
    obstacleTo: (next) => obstacleTo(next, { kernel, options, external: overlay.inputs.external }),
    log,
    signal,
    holdMs,
  })

  overlay.stop()
  firewall.stop()
  guard.stop()
  await running
  kernel.close()
}

/** What we claim in etcd under these inputs. */
function claimOf(inputs: Omit<Inputs, 'subnet'>, previousSubnet: OwnLease['subnet'] | undefined): Claim {
  return {
    hostId: inputs.hostId,
    publicAddress: inputs.external.publicAddress,
    ranges: { ipv4: inputs.configuration.range, ipv6: undefined },
    previousSubnet,
    previousSubnet6: undefined,
    insists: inputs.options.onSubnetConflict === 'wait',
    value: ({ subnet }) => leaseValueOf({ ...inputs, subnet }),
  }
}

/** The interface's address, MTU or index changed, or it is back: what depends on it follows (L7, D10). */
async function followHost(
  kernel: LiveKernel,
  store: Store,
  options: Options,
  overlay: Overlay,
  dockerBridge: DockerBridge,
  log: Log,
): Promise<void> {
  const before = overlay.inputs.external
  const host = await kernel.readHost()
  const { subnet, configuration } = overlay.inputs
  dockerBridge.look(host, configuration.range.network, { subnet, mtu: subnetEnvOf(overlay.inputs).mtu })
  const external = chooseExternalInterface(host, options, 4)
  // Down or without an address for a moment: what we have stays until there is something better.
  if (external instanceof OperatorError) return log.debug(1, `${external.message}; keeping ${before.name}`)
  if (JSON.stringify(external) === JSON.stringify(before)) return
  log.info(`interface ${external.name}: now ${external.address}, mtu ${external.mtu}`)
  if (external.address !== before.address) store.reconnect()
  await overlay.update({ external })
}

/** A permanent neighbour that is deleted is announced without its state: by its address alone it is one of ours. */
function isPeersNeighbor(key: string, overlay: Overlay): boolean {
  const [kind, , text] = key.split(' ')
  const address = kind === 'neighbor' && text !== undefined ? parseAddress(text) : undefined
  return address !== undefined && overlay.isPeer(address)
}

/** Looks at everything again from time to time, to catch what no notification told. */
async function audit(
  reconciler: Reconciler,
  overlay: Overlay,
  hostChanged: () => Promise<void>,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pause(seconds * 1000, signal)
    if (signal.aborted) return
    await reconciler.auditInTurns()
    await hostChanged()
    await overlay.update({})
  }
}
