// The firewall on real tables: which ones it uses, and what it does where there are none.
import test from 'ava'
import { createFirewall } from '../../src/firewall/firewall.ts'
import { DOCKER, INPUT, INPUT6, waitForRules, createFirewallHost, logInto } from '../lab/scenarios/firewall-host.ts'
import { prefix } from '../fake/values.ts'
import { waitFor } from '../lab/instruments/wait.ts'

test.serial('rules come back after `nft flush ruleset`', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([INPUT])
  await on.firewall.settled()
  const right = await on.saved()
  await on.run('nft flush ruleset')
  await waitForRules(t, on, right, 'nft flush ruleset')
})

test.serial('on a host without any rule, cleanup leaves none and no table', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([INPUT, INPUT6])
  await on.firewall.settled()
  t.regex(await on.run('nft list tables'), /table ip filter\n/)
  await on.firewall.cleanup()
  t.is(await on.run('nft list ruleset'), '')
})

test.serial('legacy tables are used when only they contain rules', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  await on.run('iptables-legacy -A FORWARD -j REJECT')
  on.firewall.want([INPUT])
  await on.firewall.settled()
  t.is(on.firewall.status().passes.get(4)?.iptables.variant, 'legacy')
  t.regex(
    await on.run('iptables-legacy-save'),
    /-A FORWARD .* -j FLANNEL-OVERLAY\n-A FORWARD .* -j FLANNEL-FWD\n-A FORWARD -j REJECT/,
  )
})

test.serial('when Docker comes with the other iptables, the rules follow it there, and back', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([INPUT])
  await on.firewall.settled()
  t.is(on.firewall.status().passes.get(4)?.iptables.variant, 'nft')
  await on.run('iptables-legacy-restore --noflush', DOCKER)
  const legacy = (): Promise<string> => on.run('iptables-legacy-save')
  await waitFor('our chains in legacy tables', async () => (await legacy()).includes(':FLANNEL-USER'))
  await waitFor('none in nft’s', async () => !(await on.saved()).includes('FLANNEL'))
  await waitFor('a line', () => /iptables-legacy-save \(legacy\), ahead of Docker's/.test(on.lines.join('\n')))
  // The engine was moved to nft, its old chains deleted.
  await on.run('iptables-legacy -F; iptables-legacy -X DOCKER-USER; iptables-legacy -t nat -F')
  await on.restore(DOCKER)
  await waitFor('our chains in nft’s', async () => (await on.saved()).includes(':FLANNEL-USER'))
  await waitFor('none in legacy tables', async () => !(await legacy()).includes('FLANNEL'))
})

test.serial('a family no longer wanted has nothing of ours left', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([INPUT, INPUT6])
  await on.firewall.settled()
  on.firewall.want([INPUT])
  await on.firewall.settled()
  t.is((await on.saved('6')).match(/FLANNEL/), null)
  t.regex(await on.saved(), /FLANNEL-FWD/)
})

test.serial('without iptables one line says so, and the firewall tries again', async (t) => {
  const lines: string[] = []
  const firewall = createFirewall({ log: logInto(lines), resyncSeconds: 5, prefix: ['env', 'PATH=/nowhere'] })
  t.teardown(() => {
    firewall.stop()
  })
  firewall.want([INPUT])
  await firewall.settled()
  t.is(firewall.status().state, 'failing')
  t.regex(firewall.status().error ?? '', /^firewall: iptables: not installed/)
  const { processes } = firewall.status()
  await waitFor('another attempt', () => firewall.status().processes > processes)
  t.is(lines.length, 1, lines.join('\n'))
})

test.serial(
  'without ip6tables the rules of IPv4 are in place and kept, and one line says what is missing',
  async (t) => {
    const on = await createFirewallHost(t, 'nft', 1)
    const folder = (await on.run('command -v ip6tables')).replace(/\/ip6tables\s*$/, '')
    // Nothing else of this machine's programs may be found: the folder has the links of iptables alone then.
    await on.run(`rm ${folder}/ip6tables*; for each in nft env; do ln -s $(command -v $each) ${folder}/; done`)
    const lines: string[] = []
    const prefix = ['nsenter', `--net=${on.netns}`, 'env', `PATH=${folder}`]
    const firewall = createFirewall({ log: logInto(lines), resyncSeconds: 1, netns: on.netns, prefix })
    t.teardown(() => {
      firewall.stop()
    })
    firewall.want([INPUT, INPUT6])
    await firewall.settled()
    t.is(firewall.status().error, 'firewall: ip6tables: not installed: IPv6 has no rules of ours: install iptables')
    const right = await on.saved()
    t.regex(right, /FLANNEL-FWD/)
    await on.run('iptables -F FLANNEL-FWD')
    await waitForRules(t, on, right, 'iptables -F FLANNEL-FWD, without ip6tables')
    t.is(lines.filter((line) => line.includes('ip6tables')).length, 1, lines.join('\n'))
  },
)

test.serial('EnableNFTables: tables of our own, put back when flushed; iptables is left alone', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([
    { ...INPUT, nftables: true },
    { ...INPUT6, nftables: true },
  ])
  await on.firewall.settled()
  t.is(on.firewall.status().error, undefined)
  t.is(await on.run('nft list tables | sort'), 'table ip flannel-ipv4\ntable ip6 flannel-ipv6\n')
  const right = await on.run('nft -s list table ip flannel-ipv4')
  t.regex(right, /ip saddr 10\.2\.0\.0\/16 ip daddr != 224\.0\.0\.0\/4 masquerade fully-random/)
  const { processes } = on.firewall.status()
  on.firewall.want([{ ...INPUT, nftables: true }])
  await on.firewall.settled()
  t.is(await on.run('nft list tables'), 'table ip flannel-ipv4\n')
  await on.run('nft flush ruleset')
  await waitFor('the table', async () => right === (await on.run('nft -s list table ip flannel-ipv4')))
  t.true(on.firewall.status().processes > processes)
  // Docker comes: its rules are iptables', so ours are there too.
  await on.restore(DOCKER)
  await waitFor('our chains', async () => (await on.saved()).includes('-j FLANNEL-FWD'))
  await on.firewall.cleanup()
  t.notRegex(await on.run('nft list ruleset'), /flannel/i)
})

test.serial('EnableNFTables turned on and off live: forwarding and masquerading are in one of the two', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([INPUT])
  await on.firewall.settled()
  on.firewall.want([{ ...INPUT, nftables: true }])
  await on.firewall.settled()
  t.notRegex(await on.saved(), /FLANNEL/)
  t.regex(await on.run('nft list table ip flannel-ipv4'), /masquerade/)
  on.firewall.want([INPUT])
  await on.firewall.settled()
  t.regex(await on.saved(), /-A FLANNEL-POSTRTG .* MASQUERADE/)
  t.notRegex(await on.run('nft list tables'), /flannel/)
})

test.serial('rules of an earlier run with other flags are gone', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  await on.restore('*filter\n:FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\nCOMMIT\n')
  on.firewall.want([])
  await on.firewall.settled()
  t.notRegex(await on.saved(), /FLANNEL/)
  t.is(on.firewall.status().state, 'idle')
})

test.serial('EnableNFTables on two daemons of one host: a table each, whichever starts first', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  const mine = { ...INPUT, nftables: true }
  const theirs = { ...mine, network: prefix('10.3.0.0/16'), subnet: prefix('10.3.7.0/24') }
  const tables = (): Promise<string> => on.run('nft list tables | sort')
  on.firewall.want([mine])
  await on.firewall.settled()
  const second = on.another()
  second.want([theirs])
  await second.settled()
  const both = 'table ip flannel-ipv4\ntable ip flannel-ipv4-10.3.0.0/16\n'
  t.is(await tables(), both)
  await on.run('nft flush ruleset')
  await waitFor('both tables', async () => (await tables()) === both)
  t.regex(await on.run('nft list table ip flannel-ipv4'), /10\.2\.0\.0/)
  await on.firewall.cleanup()
  t.is(await tables(), both.replace('table ip flannel-ipv4\n', ''))
  await second.cleanup()
  t.is(await tables(), '')
})

test.serial('two daemons that start at once get a table each', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  const second = on.another()
  on.firewall.want([{ ...INPUT, nftables: true }])
  second.want([{ ...INPUT, nftables: true, network: prefix('10.3.0.0/16'), subnet: prefix('10.3.7.0/24') }])
  await waitFor('a table each', async () => {
    const ruleset = await on.run('nft list ruleset')
    return ruleset.match(/^table ip flannel-ipv4/gm)?.length === 2 && /10\.2\./.test(ruleset) && /10\.3\./.test(ruleset)
  })
  t.is(on.firewall.status().error, undefined)
  t.is(second.status().error, undefined)
})

test.serial('EnableNFTables turned off at a restart: its table goes, another daemon’s stays', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  on.firewall.want([{ ...INPUT, nftables: true }])
  await on.firewall.settled()
  on.firewall.stop()
  const other = on.another()
  other.want([{ ...INPUT, nftables: true, network: prefix('10.3.0.0/16'), subnet: prefix('10.3.7.0/24') }])
  await other.settled()
  const restarted = on.another([INPUT.network, INPUT.subnet])
  restarted.want([INPUT])
  await restarted.settled()
  t.notRegex(await on.run('nft list tables'), /^table ip flannel-ipv4$/m)
  t.regex(await on.run('nft list tables'), /^table ip flannel-ipv4-10\.3/m)
  t.regex(await on.saved(), /-j FLANNEL-FWD/)
})

test.serial('two networks of one daemon: rules of both in iptables, a table each with EnableNFTables', async (t) => {
  const on = await createFirewallHost(t, 'nft')
  const network = prefix('10.3.0.0/16')
  const overlay = [{ name: 'flannel.3', shared: false, from: [network] }]
  const second = { ...INPUT, network, subnet: prefix('10.3.7.0/24'), overlay }
  on.firewall.want([INPUT, second])
  await on.firewall.settled()
  t.is(on.firewall.status().error, undefined)
  const saved = await on.saved()
  t.regex(saved, /-A FLANNEL-FWD -s 10\.2\./)
  t.regex(saved, /-A FLANNEL-FWD -s 10\.3\./)
  on.firewall.want([second])
  await on.firewall.settled()
  t.notRegex(await on.saved(), /10\.2\./)
  on.firewall.want([INPUT, second].map((input) => ({ ...input, nftables: true })))
  await on.firewall.settled()
  t.is(on.firewall.status().error, undefined)
  t.regex(await on.run('nft list table ip flannel-ipv4'), /10\.2\.0\.0/)
  t.regex(await on.run('nft list table ip flannel-ipv4-10.3.0.0/16'), /10\.3\.0\.0/)
  await on.firewall.cleanup()
  t.notRegex(await on.run('nft list tables'), /flannel/)
})
