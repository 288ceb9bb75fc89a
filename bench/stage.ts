// What most figures are measured on: a real etcd with leases of made-up peers, and hosts for daemons.
import { ROOT } from '../test/lab/actors/flanneld.ts'
import { type Host, type Lab, type Lan, createLab } from '../test/lab/world/lab.ts'
import { PREFIX } from '../test/lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../test/lab/world/etcd.ts'

export interface Stage {
  readonly lab: Lab
  readonly lan: Lan
  readonly etcd: EtcdHost
  /** A host on which nothing of ours has run. */
  host(): Promise<Host>
  /** Puts the leases of `count` peers from the `from`-th on; another generation has other public addresses. */
  fill(count: number, from?: number, generation?: number): Promise<void>
}

/** Large enough for 60,000 peers of /24; daemons take their own subnets behind them. */
const NETWORK = { Network: '10.0.0.0/8', SubnetMin: '10.254.0.0' }

/** Makes a stage with `peers` leases for as long as `use` runs. */
export async function onStage<T>(peers: number, use: (stage: Stage) => Promise<T>, backend = {}): Promise<T> {
  return inLab(async (lab) => {
    const lan = await lab.lan()
    const etcd = await startEtcd(lan)
    await etcd.configure({ ...NETWORK, Backend: { Type: 'vxlan', ...backend } })
    const hosts: Host[] = []
    const stage: Stage = {
      lab,
      lan,
      etcd,
      async host() {
        const host = await lan.host(121 + hosts.length)
        hosts.push(host)
        return host
      },
      async fill(count, from = 0, generation = 0) {
        const arguments_ = ['http://127.0.0.1:2379', PREFIX, count, from, generation]
        await etcd.run(`${process.execPath} ${ROOT}/bench/fill.ts ${arguments_.join(' ')}`)
      },
    }
    if (peers > 0) await stage.fill(peers)
    try {
      return await use(stage)
    } finally {
      // The kernel drops a device's nexthops one by one and looks through all routes for each that still has one: with
      // 60,000 that takes a minute, in which no link on this machine can change. Routes first, then.
      const routes = `ip route show proto 142 | sed -n 's/^\\([0-9][^ ]*\\) .*/route del \\1/p' | ip -batch -`
      for (const host of hosts) await host.run(routes)
    }
  })
}

/** A lab for as long as `use` runs. */
export async function inLab<T>(use: (lab: Lab) => Promise<T>): Promise<T> {
  let close: () => Promise<void> = async () => undefined
  const lab = await createLab({ teardown: (closing) => void (close = closing) })
  try {
    return await use(lab)
  } finally {
    await close()
  }
}
