// The firewall on real tables: all that holds for nft-backed and for legacy iptables.
import test from 'ava'
import { DOCKER, INPUT, INPUT6, waitForRules, createFirewallHost, inputOf } from '../lab/scenarios/firewall-host.ts'
import { waitFor } from '../lab/instruments/wait.ts'

for (const variant of ['nft', 'legacy'] as const) {
  test.serial(`rules are applied, and applied again nothing is written (${variant})`, async (t) => {
    const on = await createFirewallHost(t, variant)
    on.firewall.want([INPUT, INPUT6])
    await on.firewall.settled()
    t.deepEqual([on.firewall.status().state, on.firewall.status().error], ['right', undefined])
    t.is(on.firewall.status().passes.get(4)?.iptables.variant, variant)
    const saved = await on.saved()
    t.regex(saved, /-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD/)
    t.regex(saved, /-A FLANNEL-POSTRTG ! -s 10.2.0.0\/16 -d 10.2.0.0\/16 .* -j MASQUERADE --random-fully/)
    t.regex(await on.saved('6'), /-A FLANNEL-FWD -s fc00::\/48 /)
    const { written, processes } = on.firewall.status()
    t.is(written, 2)
    on.firewall.want([INPUT, INPUT6])
    await on.firewall.settled()
    // One reading for each family.
    t.like(on.firewall.status(), { written, processes: processes + 2 })
  })

  for (const [six, input, network] of [
    ['', INPUT, '10.2.0.0/16'],
    ['6', INPUT6, 'fc00::/48'],
  ] as const)
    test.serial(`wiped, reordered or altered rules come back (${variant}, ip${six}tables)`, async (t) => {
      const iptables = `ip${six}tables`
      const on = await createFirewallHost(t, variant, 1)
      await on.run(`${iptables} -A FORWARD -j REJECT`)
      on.firewall.want([input])
      await on.firewall.settled()
      const right = await on.saved(six)
      for (const damage of [
        `${iptables} -D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD`,
        `${iptables} -F FLANNEL-FWD`,
        `${iptables} -R FLANNEL-FWD 1 -s ${network} -m comment --comment "flanneld forward" -j DROP`,
        `${iptables} -t nat -F`,
        `${iptables} -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD`,
      ]) {
        await on.run(damage)
        await waitForRules(t, on, right, damage, six)
      }
      await on.run(`${iptables} -I FORWARD 1 -i nowhere -j DROP`)
      await waitForRules(
        t,
        on,
        right.replace(/(-j FLANNEL-OVERLAY\n)(-A FORWARD)/, '$1-A FORWARD -i nowhere -j DROP\n$2'),
        'insert',
        six,
      )
      await on.run(`${iptables} -F`)
      await waitForRules(t, on, right.replace(/-A FORWARD -j REJECT .*\n/, ''), `${iptables} -F`, six)
    })

  test.serial(`the steady state starts no process (${variant})`, async (t) => {
    const on = await createFirewallHost(t, variant, 0.2)
    on.firewall.want([INPUT])
    await on.firewall.settled()
    const { processes } = on.firewall.status()
    // Ten comparisons, and a change of a foreign table, later:
    if (variant === 'nft') await on.run('nft add table inet other')
    const until = performance.now() + 2000
    await waitFor('two seconds', () => performance.now() > until)
    t.is(on.firewall.status().processes, processes)
    t.is(on.lines.length, 1, on.lines.join('\n'))
  })

  test.serial(
    `several daemons start and stop at the same moments: none fails or harms another (${variant})`,
    async (t) => {
      const on = await createFirewallHost(t, variant)
      await on.run('iptables -A FORWARD -j REJECT; iptables -t nat -A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE')
      const before = await on.saved()
      on.firewall.want([INPUT])
      await on.firewall.settled()
      const alone = await on.saved()
      const { written } = on.firewall.status()
      for (let round = 0; round < 3; round++) {
        const others = ['10.3', '10.4', '10.5'].map((start) => {
          const other = on.another()
          other.want([inputOf(`${start}.0.0/16`, `${start}.7.0/24`)])
          return other
        })
        await Promise.all(others.map((other) => other.settled()))
        const saved = await on.saved()
        for (const start of ['10.2', '10.3', '10.4', '10.5'])
          t.is(saved.split(`-A FLANNEL-FWD -s ${start}.0.0/16 `).length, 2, saved)
        for (const other of others) t.is(other.status().error, undefined)
        await Promise.all(others.map((other) => other.cleanup()))
        t.is(await on.saved(), alone)
      }
      // It never had anything to repair.
      await on.firewall.settled()
      t.is(on.firewall.status().written, written)
      t.deepEqual(
        on.lines.filter((line) => !/^firewall: IPv4: \S+ \((nft|legacy)\)$/.test(line)),
        [],
      )
      // All at once, one of them the last without knowing.
      const other = on.another()
      other.want([inputOf('10.3.0.0/16', '10.3.7.0/24')])
      await other.settled()
      await Promise.all([on.firewall.cleanup(), other.cleanup()])
      t.is(await on.saved(), before)
    },
  )

  test.serial(
    `when Docker starts later our rules are in their places; its own rules are unchanged (${variant})`,
    async (t) => {
      const on = await createFirewallHost(t, variant)
      on.firewall.want([INPUT])
      await on.firewall.settled()
      await on.restore(DOCKER)
      await waitFor('our chains', async () => (await on.saved()).includes(':FLANNEL-USER'))
      await on.firewall.settled()
      const saved = await on.saved()
      t.deepEqual(saved.match(/^-A FORWARD .*/gm), [
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-USER',
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-OVERLAY',
        '-A FORWARD -j DOCKER-USER',
        '-A FORWARD -o docker0 -j DOCKER',
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
      ])
      t.deepEqual(saved.match(/^-A DOCKER-USER .*/gm), [
        '-A DOCKER-USER -m comment --comment "flanneld forward" -j FLANNEL-OVERLAY',
        '-A DOCKER-USER -j RETURN',
      ])
      t.deepEqual(saved.match(/^-A POSTROUTING .*/gm), [
        '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-NOMASQ',
        '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
        '-A POSTROUTING -s 10.2.21.0/24 ! -o docker0 -j MASQUERADE',
      ])
      // dockerd restarted: its jumps are first again, until we see it.
      await on.run('iptables -D FORWARD -j DOCKER-USER; iptables -I FORWARD -j DOCKER-USER')
      await waitForRules(t, on, saved, 'dockerd restart')
    },
  )

  test.serial(`cleanup leaves what was there before, byte for byte (${variant})`, async (t) => {
    const on = await createFirewallHost(t, variant)
    await on.restore(DOCKER)
    await on.run('iptables -A FORWARD -j REJECT; iptables -t raw -A PREROUTING -d 10.2.21.2/32 ! -i docker0 -j DROP')
    const before = await on.saved()
    const nft = variant === 'nft' ? await on.run('nft -s list ruleset') : ''
    on.firewall.want([INPUT, INPUT6])
    await on.firewall.settled()
    t.not(await on.saved(), before)
    await on.firewall.cleanup()
    t.is(await on.saved(), before)
    if (variant === 'nft') t.is(await on.run('nft -s list ruleset'), nft)
    t.is((await on.saved('6')).match(/FLANNEL/), null)
  })

  test.serial(`stop leaves the rules as they are (${variant})`, async (t) => {
    const on = await createFirewallHost(t, variant)
    on.firewall.want([INPUT])
    await on.firewall.settled()
    const right = await on.saved()
    on.firewall.stop()
    t.is(await on.saved(), right)
    t.is(on.firewall.status().state, 'idle')
  })
}
