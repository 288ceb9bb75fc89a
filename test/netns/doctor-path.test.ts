// doctor on what happens between hosts: two networks with a router that blocks, narrows or copies packets on demand.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, networkWith, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { type TwoHosts, doctorFaultTests, runDoctor } from '../lab/scenarios/doctor.ts'
import { ROOT, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'
import type { Running } from '../lab/world/process.ts'
import type { Space } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

let router: Space
let copier: Running | undefined

const folder = mkdtempSync(join(tmpdir(), `flanneld-doctor-${process.pid}-`))
test.after.always(() => {
  rmSync(folder, { recursive: true })
})

async function routedCluster(owner: Parameters<typeof createLab>[0]): Promise<Cluster> {
  const lab = await createLab(owner)
  const lan = await lab.lan()
  const far = await lab.lan({ prefix: '192.168.20' })
  router = await lab.router(lan, far)
  const etcd = await startEtcd(lan)
  await etcd.configure(networkWith({}))
  const [a, b] = await Promise.all([lan.host(121), far.host(122)])
  const join = async (host: typeof a): ReturnType<typeof nodeOn> =>
    nodeOn(host, await startFlanneld(host, `${ARGS} -probe-interval=1`))
  const nodes = await Promise.all([join(a), join(b)])
  await waitUntilReached(nodes[0], nodes[1])
  return { lab, lan, etcd, nodes }
}

const up = ({ own, peer }: TwoHosts): Promise<unknown> => waitForHealth(own, peer, { state: 'up' })

/** Rules of the router. */
const ROUTER = (rule: string): string => `nft add table ip box
  nft 'add chain ip box forward { type filter hook forward priority 0; }'
  nft 'add rule ip box forward ${rule}'`

async function stopCopying(): Promise<void> {
  await copier?.stop()
  await router.run('nft delete table ip box')
}

/** A program takes what goes to one host's VXLAN port from eth0 to eth1, while the kernel drops it. */
async function copyBytes({ peer }: TwoHosts): Promise<void> {
  const program = join(folder, 'user-space-nat')
  execFileSync('gcc', ['-O2', '-o', program, join(ROOT, 'test/lab/preload/user-space-nat.c')])
  const mac = /link\/ether (\S+)/.exec(await peer.host.run('ip link show enp0s3'))?.[1] ?? ''
  copier = await router.spawn(`${program} eth0 eth1 ${peer.host.address} ${mac} 8472`)
  await copier.line(/copying/)
  await router.run(ROUTER(`iifname eth0 udp dport 8472 drop`))
}

const hosts = doctorFaultTests(
  routedCluster,
  [
    {
      check: 'udp-port',
      fault: 'blocked on the way, both ways',
      make: async ({ own, peer }) => {
        await router.run(ROUTER('udp dport 8472 drop'))
        await waitForHealth(own, peer, { state: 'unreachable', cause: 'tunnel-blocked' })
      },
      reaches: false,
      cause:
        /peer 10\.2\.\d+\.0\/24: the tunnel does not answer, but its host answers: UDP 8472 is blocked on the path/,
      fix: /let UDP 8472 pass between this host and 192\.168\.20\.122, in both directions/,
      proof: /udp 8472 blocked/,
      repair: async (hosts) => {
        await router.run('nft delete table ip box')
        await up(hosts)
      },
    },
    {
      check: 'udp-port',
      fault: 'blocked on the way, towards us alone; asked about this peer',
      make: async ({ own, peer }) => {
        await router.run(ROUTER('iifname eth1 udp dport 8472 drop'))
        await waitForHealth(own, peer, { state: 'unreachable', cause: 'tunnel-blocked-in' })
      },
      args: '192.168.20.122',
      cause: /what the peer sends into the tunnel is lost/,
      fix: /let UDP 8472 pass/,
      repair: async (hosts) => {
        await router.run('nft delete table ip box')
        await up(hosts)
      },
    },
    {
      check: 'udp-port',
      fault: 'dropped by a rule of this host',
      make: async ({ own, peer }) => {
        await own.host.run('iptables -A INPUT -p udp --dport 8472 -j DROP')
        await waitForHealth(own, peer, { state: 'unreachable' })
      },
      reaches: false,
      cause: /a firewall rule of this host drops UDP 8472/,
      fix: /^iptables -t filter -D INPUT -p udp .*--dport 8472 -j DROP$/,
      repair: async (hosts, fix) => {
        await hosts.own.host.run(fix)
        await up(hosts)
      },
    },
    {
      check: 'udp-port',
      fault: 'a firewall of this host that lets in what it knows alone',
      make: async ({ own, peer }) => {
        await own.host.run(`nft add table inet wall
          nft 'add chain inet wall input { type filter hook input priority 0; policy drop; }'
          nft 'add rule inet wall input iifname lo accept'
          nft 'add rule inet wall input tcp sport 2379 accept'
          nft 'add rule inet wall input icmp type { echo-request, echo-reply } accept'`)
        await waitForHealth(own, peer, { state: 'unreachable' })
      },
      reaches: false,
      cause: /a firewall of this host drops by policy, and no rule lets UDP 8472 in/,
      level: 'WARNING',
      fix: /^nft insert rule inet wall input udp dport 8472 accept/,
      repair: async (hosts, fix) => {
        await hosts.own.host.run(fix.replace(/, and the same.*/, ''))
        await up(hosts)
        await hosts.own.host.run('nft delete table inet wall')
      },
    },
    {
      check: 'path-mtu',
      fault: 'a narrow stretch that says nothing',
      make: async ({ own, peer }) => {
        await router.run(`ip link set eth1 mtu 1400; ip link set eth0 mtu 1400
          nft add table ip box
          nft 'add chain ip box output { type filter hook output priority 0; }'
          nft 'add rule ip box output icmp type destination-unreachable drop'`)
        await waitForHealth(own, peer, { cause: 'path-mtu' })
      },
      reaches: true,
      cause: /large packets to peer 10\.2\.\d+\.0\/24 are lost, small ones pass: the path to 192\.168\.20\.122/,
      fix: /raise the MTU on the path, let ICMP "fragmentation needed" pass, or send smaller packets/,
      repair: async ({ own, peer }) => {
        await router.run('nft delete table ip box; ip link set eth0 mtu 1500; ip link set eth1 mtu 1500')
        await waitForHealth(own, peer, { cause: 'none' })
      },
    },
    {
      check: 'peers',
      fault: 'a host that is down',
      make: async ({ own, peer }) => {
        await peer.host.run('ip link set enp0s3 down')
        await waitForHealth(own, peer, { cause: 'host-down' })
      },
      reaches: false,
      cause: /peer 10\.2\.\d+\.0\/24: neither its tunnel nor its host answers/,
      fix: /ping 192\.168\.20\.122; ip route get 192\.168\.20\.122/,
      repair: async (hosts) => {
        await hosts.peer.host.run('ip link set enp0s3 up; ip route add default via 192.168.20.1')
        await up(hosts)
      },
    },
    {
      check: 'checksum',
      fault: 'a NAT in between that does not make the sums the sender left to its hardware',
      make: copyBytes,
      // Its sum is made by ping itself.
      reaches: true,
      cause: /packets to peer 10\.2\.\d+\.0\/24 arrive with wrong checksums: TCP and UDP fail, ping works/,
      fix: /^ethtool -K flannel\.1 tx-checksum-ip-generic off$/,
      proof: /tx-checksum-ip-generic: .*flannel\.1 on/,
      repair: async ({ own, peer }, fix) => {
        // A probe of that host may have been late.
        await waitFor('the other way to be well', async () => {
          const there = await runDoctor(peer.host, own.host.address)
          if (there.code !== 0) throw new Error(there.text)
          return true
        })
        await own.host.run(fix)
        const { findings } = await runDoctor(own.host)
        if (findings.length > 0) throw new Error(`the fix repairs nothing: ${JSON.stringify(findings)}`)
        await own.host.run('ethtool -K flannel.1 tx-checksum-ip-generic on')
        await stopCopying()
      },
    },
  ],
  up,
)

test.serial('doctor PEER: by subnet, by an address in it, by its host; an unknown one is an error', async (t) => {
  const { own, peer } = hosts()
  for (const name of [`${peer.subnet}.0/24`, peer.container.address, peer.host.address]) {
    const { text, code } = await runDoctor(own.host, name)
    t.regex(text, new RegExp(`^healthy {3}peer ${peer.subnet}\\.0/24`))
    t.is(code, 0)
    t.regex(text, /ok: daemon, etcd-watch, peer-leases, duplicate-ip, rp-filter, routes, neighbours, .*fdb, .*overlap/)
  }
  const { findings, code } = await runDoctor(own.host, '10.2.99.4')
  t.regex(findings.find(({ check }) => check === 'peer-leases')?.cause ?? '', /no host has leased 10\.2\.99\.4/)
  t.is(code, 2)
  t.regex((await runDoctor(own.host, own.container.address)).text, /that is this host itself/)
  t.regex((await runDoctor(own.host, 'nonsense')).text, /doctor: "nonsense": not a subnet or an address/)
})
