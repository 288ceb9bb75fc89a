// `flanneld ping`, as an operator runs it: a peer that is well, one whose tunnel is blocked, a path too small, no daemon.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { BUNDLE } from '../lab/actors/flanneld.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'

test('ping reports what passes inside and outside the tunnel, and what is wrong; with the daemon and without', async (t) => {
  const [a, b] = (await createCluster(t)).nodes
  if (a === undefined || b === undefined) return t.fail()
  const subnet = `${b.subnet}.0/24`
  for (const to of [subnet, `${b.subnet}.7`, b.host.address]) {
    const { code, stdout } = await runVerb(a.host, `ping ${to}`)
    t.is(code, 0, stdout)
    t.regex(stdout, new RegExp(`^up {3}${subnet} on ${b.host.address}\n`))
    t.regex(stdout, /\n {2}in the tunnel +10\.2\.\d+\.0 to 10\.2\.\d+\.0 +4 of 4 back +\d+\.\dms +1450 bytes pass\n/)
    t.regex(
      stdout,
      /\n {2}to its host +192\.168\.19\.121 to 192\.168\.19\.122 +4 of 4 back +\d+\.\dms +1500 bytes pass\n$/,
    )
  }
  const json = JSON.parse((await runVerb(a.host, `ping ${subnet} --json --count 2`)).stdout) as object
  t.like(json, {
    source: 'daemon',
    subnet,
    via: 'tunnel',
    mtu: 1450,
    pathMtu: 1450,
    loss: 0,
    state: 'up',
    cause: 'none',
    note: '',
    tunnel: { sent: 8, answered: 8, full: 1450, largest: 1450 },
  })

  await a.host.run(`nft 'add table ip block
    add chain ip block output { type filter hook output priority 0; }
    add rule ip block output udp dport 8472 ip length > 1400 drop'`)
  const smaller = await runVerb(a.host, `ping ${subnet}`)
  t.is(smaller.code, 1)
  t.regex(smaller.stdout, /^degraded {3}.* · below the tunnel's 1450: larger packets are lost\n/)
  t.regex(smaller.stdout, /1350 of 1450 bytes pass[^]*→ Run: flanneld doctor 10\.2\./)

  await a.host.run(`nft 'flush chain ip block output
    add rule ip block output udp dport 8472 drop'`)
  await waitForHealth(a, b, { cause: 'tunnel-blocked-out' })
  const blocked = await runVerb(a.host, `ping ${subnet}`)
  t.is(blocked.code, 2)
  t.regex(blocked.stdout, /^unreachable {3}.* · udp 8472 blocked\? what we send is lost\n/)
  t.regex(blocked.stdout, / {2}in the tunnel .* 0 of 8 back[^]*to its host .* 8 of 8 back/)
  await a.host.run('nft delete table ip block')

  await a.daemon.stop()
  const alone = await runVerb(a.host, `ping ${subnet} -json`)
  t.is(alone.code, 0, alone.output)
  t.regex(alone.output, /no daemon answers/)
  t.like(JSON.parse(alone.stdout), {
    source: 'kernel',
    state: 'up',
    publicAddress: b.host.address,
    pathMtu: 1450,
    underlay: { full: 1500, largest: 1500 },
  })
  const bare = await runVerb(a.host, `ping ${subnet}`, `setpriv --bounding-set=-net_raw ${BUNDLE}`)
  t.is(bare.code, 1)
  t.regex(bare.output, /raw socket: CAP_NET_RAW is missing/)
})

test('ping refuses what is no peer, and command lines that make no sense', async (t) => {
  const [a] = (await createCluster(t, { hosts: 1 })).nodes
  if (a === undefined) return t.fail()
  for (const [args, code, says] of [
    ['', 2, /something is missing/],
    ['10.2.250.0/24 -count=0', 2, /-count: 0: must be a number from 1 to 1000/],
    ['10.2.250.0/24', 1, /10\.2\.250\.0\/24: no peer of this network: flanneld peers lists them/],
    ['nowhere', 1, /nowhere: neither a subnet nor an address/],
  ] as const) {
    const end = await runVerb(a.host, `ping ${args}`)
    t.is(end.code, code, args)
    t.regex(end.output, says)
  }
})
