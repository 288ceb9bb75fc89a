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
  /** Its bridge, and the words before a program that listens to all its packets there. */
  readonly bridge: { readonly device: string; readonly enter: readonly string[] }
  /** A new socket for a machine that is an emulator's, not a namespace, and whose address ends in `last`. */
  socket(last: number): Promise<Socket>
}

/** A tap device on a local network's bridge. */
export interface Socket {
  readonly device: string
  /** The words before a program that uses the device: it runs on this machine's files, and ends with the lab. */
  readonly enter: readonly string[]
  readonly address: string
  readonly address6: string
  /** The shell command that gives the machine its addresses and routes, on `enp0s3`. */
  readonly configure: string
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
  const wires = wiring(await space('wires'))
  return {
    space,
    close,
    afterwards: (clean) => cleanings.push(clean),
    lan: (options) => createLan(wires, space, options),
    async router(...lans) {
      const router = await space('router')
      for (const [index, lan] of lans.entries()) {
        await wires.attach(lan, router, `eth${index}`, 1, 1500)
        wires.routed.add(lan)
      }
      return router
    },
  }
}

/** The bridges of a lab's local networks, in a space of their own. */
interface Wires {
  /** The words before a program that runs at the bridges, on this machine's files. */
  readonly enter: readonly string[]
  /** The local networks that have a router. */
  readonly routed: Set<Lan>
  /** A name for a device there. */
  port(): string
  /** Runs a shell command there, in which pids are this machine's. */
  run(command: string): Promise<void>
  /** Connects a space by a device with this MTU, and gives that its addresses. */
  attach(lan: Lan, to: Space, device: string, last: number, mtu: number): Promise<void>
}

function wiring(space: Space): Wires {
  let ports = 0
  const wires: Wires = {
    enter: ['nsenter', '-t', String(space.pid), '-n', '-p'],
    routed: new Set(),
    port: () => `port${++ports}`,
    async run(command) {
      const running = await start(['nsenter', '-t', String(space.pid), '-n', 'sh', '-ec', command], false)
      if ((await running.exit).code !== 0) throw new Error(`${command}: ${running.output()}`)
    },
    async attach(lan, to, device, last, mtu) {
      const port = wires.port()
      await wires.run(
        `ip link add ${port} mtu ${mtu} type veth peer name ${device} mtu ${mtu} netns ${to.pid}
         ip link set ${port} master ${lan.bridge.device} up`,
      )
      await to.run(addressing(lan, device, last))
    },
  }
  return wires
}

async function createLan(
  wires: Wires,
  space: (name: string) => Promise<Space>,
  { prefix = '192.168.19', mtu = 1500 }: LanOptions = {},
): Promise<Lan> {
  const routes = (): string =>
    wires.routed.has(lan)
      ? `ip route add default via ${prefix}.1 && ip -6 route add default via ${address6(lan, 1)}`
      : 'true'
  const lan: Lan = {
    prefix,
    bridge: { device: `br${prefix.replaceAll('.', '')}`, enter: wires.enter },
    prefix6: `fd00:${prefix.split('.').at(-1) ?? ''}:`,
    async host(last) {
      const made = await space(`host${last}`)
      await wires.attach(lan, made, 'enp0s3', last, mtu)
      await made.run(routes())
      return { ...made, address: `${prefix}.${last}`, address6: address6(lan, last) }
    },
    async socket(last) {
      const device = wires.port()
      // The queue outlasts the seconds in which an emulator is not run.
      await wires.run(
        `ip tuntap add ${device} mode tap
         ip link set ${device} mtu ${mtu} txqueuelen 10000 master ${lan.bridge.device} up`,
      )
      return {
        device,
        enter: wires.enter,
        address: `${prefix}.${last}`,
        address6: address6(lan, last),
        configure: `ip link set enp0s3 mtu ${mtu} && ${addressing(lan, 'enp0s3', last)} && ${routes()}`,
      }
    },
  }
  await wires.run(`ip link add ${lan.bridge.device} mtu ${mtu} type bridge; ip link set ${lan.bridge.device} up`)
  return lan
}

/** The IPv6 address of a host: fd00:19::79 beside 192.168.19.121. */
function address6({ prefix6 }: Lan, last: number): string {
  return `${prefix6}:${last.toString(16)}`
}

/**
 * Gives a device its addresses. Without a link-local one, for which others have a second to object, a host that forwards asks for no
 * neighbour. The other one says nodad: no program can bind to it before a busy kernel has come to see that nobody is to be asked.
 */
function addressing(lan: Lan, device: string, last: number): string {
  return `sysctl -q -w net.ipv6.conf.${device}.accept_dad=0 && ip link set ${device} up &&
    ip addr add ${lan.prefix}.${last}/24 brd + dev ${device} && 
    ip addr add ${address6(lan, last)}/64 dev ${device} nodad`
}
