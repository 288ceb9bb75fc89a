// A lab: a world of its own with local networks, hosts on them and routers between them (LAN 192.168.19.0/24 and hosts
// .120, .121, ... as in the tutorial, with fd00:19::78, fd00:19::79, ... beside). Addresses may be the same in every lab,
// since no packet leaves it.
import { type Owner, type Space, createSpace } from './space.ts'
import { start } from './process.ts'

/** A host on one local network. */
export interface Host extends Space {
  /** Its IPv4 address there, on `enp0s3`. */
  readonly address: string
  /** Its IPv6 address there, with the same last byte. */
  readonly address6: string
}

/** A local network: a bridge. */
export interface Lan {
  /** Its first three bytes, "192.168.19"; a /24. */
  readonly prefix: string
  /** Its IPv6 network without the last colon, "fd00:19:"; a /64. */
  readonly prefix6: string
  /** A new host whose address ends in `last`. */
  host(last: number): Promise<Host>
}

/** Options of a local network. */
export interface LanOptions {
  readonly prefix?: string
  readonly mtu?: number
}

/** Local networks, hosts and routers; `close` ends all that runs in them. */
export interface Lab {
  lan(options?: LanOptions): Promise<Lan>
  /** Joins local networks by a host that forwards, .1 on each; it becomes the default route of hosts made later. */
  router(...lans: readonly Lan[]): Promise<Space>
  /** A space on no network. */
  space(name: string): Promise<Space>
  /** Called when the lab has been closed, for what a space cannot hold (a control group, say). */
  afterwards(clean: () => void): void
  close(): Promise<void>
}

/** Makes an empty lab that is closed when `owner` ends. */
export async function createLab(owner: Owner): Promise<Lab> {
  const spaces: Space[] = []
  const cleanings: (() => void)[] = []
  const space = async (name: string): Promise<Space> => {
    const made = await createSpace(name)
    spaces.push(made)
    return made
  }
  const close = async (): Promise<void> => {
    await Promise.all(spaces.splice(0).map((it) => it.close()))
    for (const clean of cleanings.splice(0)) clean()
  }
  owner.teardown(close)
  const wires = await space('wires')
  const routed = new Set<Lan>()
  let ports = 0

  /** Runs in a space's network alone: pids in the command are this machine's. */
  const wire = async (command: string): Promise<void> => {
    const running = await start(['nsenter', '-t', String(wires.pid), '-n', 'sh', '-ec', command], false)
    if ((await running.exit).code !== 0) throw new Error(`${command}: ${running.output()}`)
  }
  const attach = async (lan: Lan, to: Space, device: string, last: number, mtu: number): Promise<void> => {
    const port = `port${++ports}`
    await wire(
      `ip link add ${port} mtu ${mtu} type veth peer name ${device} mtu ${mtu} netns ${to.pid}
       ip link set ${port} master ${bridgeOf(lan)} up`,
    )
    // Without a link-local address, for which others have a second to object, a host that forwards asks for no neighbour.
    await to.run(
      `sysctl -q -w net.ipv6.conf.${device}.accept_dad=0 && ip link set ${device} up &&
       ip addr add ${lan.prefix}.${last}/24 brd + dev ${device} && ip addr add ${address6(lan, last)}/64 dev ${device}`,
    )
  }

  return {
    space,
    close,
    afterwards: (clean) => cleanings.push(clean),
    async lan({ prefix = '192.168.19', mtu = 1500 } = {}) {
      const lan: Lan = {
        prefix,
        prefix6: `fd00:${prefix.split('.').at(-1) ?? ''}:`,
        async host(last) {
          const made = await space(`host${last}`)
          await attach(lan, made, 'enp0s3', last, mtu)
          if (routed.has(lan))
            await made.run(`ip route add default via ${prefix}.1 && ip -6 route add default via ${address6(lan, 1)}`)
          return { ...made, address: `${prefix}.${last}`, address6: address6(lan, last) }
        },
      }
      await wire(`ip link add ${bridgeOf(lan)} mtu ${mtu} type bridge; ip link set ${bridgeOf(lan)} up`)
      return lan
    },
    async router(...lans) {
      const router = await space('router')
      for (const [index, lan] of lans.entries()) {
        await attach(lan, router, `eth${index}`, 1, 1500)
        routed.add(lan)
      }
      return router
    },
  }
}

/** The IPv6 address of a host: fd00:19::79 beside 192.168.19.121. */
function address6({ prefix6 }: Lan, last: number): string {
  return `${prefix6}:${last.toString(16)}`
}

/** The bridge of a local network, within a device name's 15 bytes. */
function bridgeOf(lan: Lan): string {
  return `br${lan.prefix.replaceAll('.', '')}`
}
