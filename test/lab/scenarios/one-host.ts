// The smallest network: etcd on .120 with a config, and host .121 without a daemon yet, on one LAN.
import { type EtcdHost, type EtcdSetup, startEtcd } from '../world/etcd.ts'
import { type Host, type Lab, type Lan, createLab } from '../world/lab.ts'
import type { Owner } from '../world/space.ts'

/** Both, and what they are on, for further hosts. */
export interface OneHost {
  readonly lab: Lab
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly host: Host
}

/** The network of the tutorial. */
export const TUTORIAL_CONFIG = { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } }

/** Makes them; the config is the tutorial's when `setup` has none. */
export async function createOneHost(owner: Owner, setup: EtcdSetup = {}): Promise<OneHost> {
  const lab = await createLab(owner)
  const lan = await lab.lan()
  const [etcd, host] = await Promise.all([startEtcd(lan, { config: TUTORIAL_CONFIG, ...setup }), lan.host(121)])
  return { lab, lan, etcd, host }
}
